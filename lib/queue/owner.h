/*
 * The owner record of a consumer, which is the text of its owner key:
 *
 *	SPEAKER BOOT PID STARTTIME
 *
 * SPEAKER is the UUID of the consumer that owns it, itself or its adopter.
 * Then comes the process of that one: the machine it runs on, its number
 * there, and field 22 of its /proc/PID/stat, because numbers are used again.
 * BOOT is the kernel's boot id and the inodes of the PID and the time
 * namespace, with dashes between: containers share the kernel, not the numbers,
 * and a start is counted from the boot that a time namespace sees.  Virtual
 * machines that were copied while they ran have one BOOT, and processes of
 * their own: that one is not here does not prove that it is gone (adopt.lua).
 */
#ifndef INCR_OWNER_H
#define INCR_OWNER_H

#include <stdbool.h>
#include <stddef.h>

#include "record/id.h"

enum { OWNER_BOOT_MAX = 96, OWNER_RECORD_MAX = 192 };

/* BOOT of this process; constant.  "?", which is never another's, if the
 * kernel does not tell or /proc shows other processes than ours. */
const char *owner_boot(void);

/* Writes the record of this process with this speaker, and a NUL. */
void owner_record(const struct id *speaker, char ret[OWNER_RECORD_MAX]);

/* Does the record name speaker?  record ends with a NUL. */
bool owner_speaks(const char *record, const struct id *speaker);

/*
 * Is the process of this record gone?  True only if it was on this machine, or
 * on one of the same BOOT, and either no process has its number, or the one
 * that has it was started at another time or is a zombie.
 */
bool owner_gone(const char *record);

#endif
