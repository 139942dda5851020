/*
 * Numbers as people read them, at most HUMAN_MAX - 1 characters of ASCII; "-"
 * if the number is not known (NaN).  Pure.
 */
#ifndef INCR_HUMAN_H
#define INCR_HUMAN_H

enum { HUMAN_MAX = 16 };

/* A text in a struct, so that calls can be arguments of printf. */
struct human {
	char text[HUMAN_MAX];
};

struct human human_count(double n);      /* 1,234,567   12.3M */
struct human human_rate(double per_s);   /* 0.25/s   9.5/s   1,234/s */
struct human human_bytes(double n);      /* 3.5M, of 1000s */
struct human human_share(double of_one); /* 12.3% */
struct human human_seconds(double s);    /* 0.7ms   120ms   8.1s   95s */
struct human human_age(double s);        /* 45s   12m   2h03m   3d04h */

/* The same with a character in front. */
struct human human_behind(char first, struct human h);

#endif
