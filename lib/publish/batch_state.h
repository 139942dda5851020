/*
 * The state of the batch in flight, and how each event changes it.  Pure:
 * publisher.c does what it says.
 *
 * The batch may be sent again under a new id, or its lines be answered
 * unavailable, only where no earlier sending may have been done or be done
 * yet; else it is repeated unchanged, or its lines are answered unknown.
 */
#ifndef INCR_BATCH_STATE_H
#define INCR_BATCH_STATE_H

#include <stdbool.h>

enum batch_state {
	BATCH_NONE,        /* no batch is in flight */
	BATCH_UNSENT,      /* certainly not in Redis */
	BATCH_INTRODUCING, /* the same, while its publisher is introduced */
	BATCH_SENDING,     /* its first sending is under way */
	BATCH_UNCONFIRMED, /* was sent, not answered: to be sent again */
	BATCH_REPEATING    /* that is under way */
};

enum batch_event {
	/* What the publisher does. */
	BATCH_FILLED,    /* a batch with increments is to be sent */
	BATCH_INTRODUCE, /* the call was begun */
	BATCH_SEND,      /* the same */
	BATCH_EXPIRED,   /* with echo: --wait is over, no call is under way */
	BATCH_EMPTIED,   /* with echo: all its lines expired */
	/* What becomes of the call. */
	BATCH_ASKED,      /* it is known how many shards there are */
	BATCH_INTRODUCED, /* the publisher is known now */
	BATCH_KNOWN,      /* somebody else had introduced its id */
	BATCH_PUSHED,     /* all lines have their outcome: pushed, or refused
			   * by their tags */
	BATCH_GAP,        /* Redis does not know the publisher, or its seq */
	BATCH_OTHER,      /* seq is that of another batch, so that this one
			   * is not pushed and never will be */
	BATCH_LATE,       /* this sending came too late and did nothing */
	BATCH_LATE_ELSEWHERE, /* BATCH_LATE or BATCH_OTHER of a repeat at
			       * another Redis than the id is for: it lacks the
			       * batch, which may have been counted from there
			       */
	BATCH_NO_ROOM,        /* not pushed, seq not used: --high-water, OOM */
	BATCH_REFUSED,        /* an error reply: this sending did nothing */
	BATCH_LOST,           /* no reply, and the call was sent to its end */
	BATCH_LOST_UNSENT     /* no reply, and it was not */
};

enum batch_action {
	BATCH_KEEP,         /* none: the next state says how it goes on */
	BATCH_SETTLE,       /* count seq, release the answers */
	BATCH_TURN_AWAY,    /* answer what is not pushed unavailable, release */
	BATCH_GIVE_UNKNOWN, /* answer all lines unknown, release */
	BATCH_EXPIRE,       /* answer lines that waited too long unavailable */
	BATCH_GIVE_UP       /* end: nobody waits for answers */
};

struct batch_step {
	enum batch_state next;
	enum batch_action action;
	bool new_id; /* the id of the publisher is of no more use */
};

/* The next state, and what is to be done.  echo: somebody waits for an answer
 * to each line.  Aborts at an event that
 * can't come in the state, which is a bug. */
struct batch_step batch_state_after(
    enum batch_state state, enum batch_event event, bool echo);

/* Is a call about the batch under way? */
bool batch_state_calling(enum batch_state state);

/* May Redis have the batch, or get it yet?  sent: the last byte of the call
 * under way was handed to the kernel. */
bool batch_state_in_doubt(enum batch_state state, bool sent);

#endif
