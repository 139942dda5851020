/* The time of a Redis: what has passed since its reply, and of that one only.
 */
#include "check.h"
#include "publish/redis_time.h"

int
main(void)
{
	struct redis_time t = {0};

	check(redis_time_ahead(&t, 0, 5000, 60) == 0, "not told");
	redis_time_take(&t, 1, 1700000000000, 5000);
	check(redis_time_ahead(&t, 1, 5000, 0) == 1700000000000, "as told");
	check(redis_time_ahead(&t, 1, 7500, 60) == 1700000062500, "later");
	check(redis_time_ahead(&t, 2, 7500, 60) == 0, "another Redis");
	redis_time_take(&t, 2, 1600000000000, 8000);
	check(redis_time_ahead(&t, 2, 8001, 0) == 1600000000001, "set back");
	return check_end();
}
