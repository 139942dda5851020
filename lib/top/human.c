/* Numbers as people read them. */
#include "top/human.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

__attribute__((format(printf, 1, 2))) static struct human
form(const char *fmt, ...)
{
	struct human h;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(h.text, sizeof h.text, fmt, ap);
	va_end(ap);
	return h;
}

/* Below ten millions whole, with a comma after each three digits. */
static struct human
with_commas(double n)
{
	uint32_t whole = (uint32_t)llround(n);

	if (whole >= 1000000)
		return form("%u,%03u,%03u", whole / 1000000,
		    whole / 1000 % 1000, whole % 1000);
	if (whole >= 1000)
		return form("%u,%03u", whole / 1000, whole % 1000);
	return form("%u", whole);
}

/* Three digits and a letter. */
static struct human
with_letter(double n)
{
	static const char letters[] = "kMGTPE";
	size_t i = 0;

	for (n /= 1000; n >= 999.5 && letters[i + 1] != '\0'; i++)
		n /= 1000;
	if (n >= 1e6)
		return form(">1000E");
	return form("%.*f%c", n < 9.95 ? 2 : n < 99.95 ? 1 : 0, n, letters[i]);
}

struct human
human_count(double n)
{
	if (isnan(n))
		return form("-");
	return n < 9999999.5 ? with_commas(n) : with_letter(n);
}

struct human
human_rate(double per_s)
{
	struct human h;

	if (isnan(per_s) || per_s == 0)
		return form(isnan(per_s) ? "-" : "0/s");
	if (per_s < 9.95)
		return form(per_s < 0.995 ? "%.2f/s" : "%.1f/s", per_s);
	h = human_count(per_s);
	return form("%.12s/s", h.text);
}

struct human
human_bytes(double n)
{
	if (isnan(n))
		return form("-");
	return n < 999.5 ? form("%.0f", n) : with_letter(n);
}

struct human
human_share(double of_one)
{
	if (isnan(of_one))
		return form("-");
	if (of_one > 999)
		return form(">99900%%");
	return form("%.1f%%", of_one * 100);
}

struct human
human_seconds(double s)
{
	if (isnan(s))
		return form("-");
	if (s < 0.00995)
		return form("%.1fms", s * 1000);
	if (s < 0.9995)
		return form("%.0fms", s * 1000);
	if (s < 99.95)
		return form("%.1fs", s);
	return s < 999.5 ? form("%.0fs", s) : human_age(s);
}

struct human
human_age(double s)
{
	uint32_t whole;

	if (isnan(s))
		return form("-");
	if (s > 1e9)
		return form(">30y");
	whole = (uint32_t)fmax(s, 0);
	if (whole < 100)
		return form("%us", whole);
	if (whole < 3600)
		return form("%um", whole / 60);
	if (whole < 86400)
		return form("%uh%02um", whole / 3600, whole / 60 % 60);
	return form("%ud%02uh", whole / 86400, whole / 3600 % 24);
}

struct human
human_behind(char first, struct human h)
{
	return form("%c%.14s", first, h.text);
}
