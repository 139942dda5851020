-- How long it took from a 202 (said.at) to the COMMIT in Postgres, of keys that
-- were counted once, beside the faults that were about (slots).  At a calm pace
-- what took longer than promised is a difference.

create temporary table took as
select key, at, extract(epoch from pg_xact_commit_timestamp(i.xmin)) - at as s
from said join increments i using (key)
where at is not null and verdict = 'counted'
	and key not in (select key from said group by key having count(*) > 1);

-- A fault is about from its beginning until ten seconds after its end.
create temporary table judged as
select key, s, coalesce(
		(select string_agg(distinct excuse, ', ') from slots
		where excuse <> '' and at < ended + 10 and at + s > began),
		(select 'the machine stood still' from stalls
		where at < ended and at + s > began limit 1)) as excuse,
	coalesce((select max(promise) from slots
		where at < ended and at + s > began), 10) as promise,
	(select string_agg(distinct name, ', ') from slots
		where at < ended and at + s > began) as during
from took;

select format('class staleness: %s increments, at most %s s', count(*),
	round(max(s)::numeric, 2)) ||
	case :'pace' when 'storm' then
		format('; in a storm nothing is promised, %s took more than 10 s',
			count(*) filter (where s > 10))
	else format('; without excuse %s, at most %s s',
		count(*) filter (where excuse is null),
		round(max(s) filter (where excuse is null)::numeric, 2))
	end
from judged;

select format('class staleness during %s: at most %s s%s', name,
	round(max(s)::numeric, 2), case when excuse <> '' then
		', excused: ' || excuse else ', promised ' || promise || ' s' end)
from slots join took on at < ended and at + s > began
where :'pace' = 'calm'
group by name, excuse, promise order by name;

select format('class staleness: excused because %s: %s over %s s, at most %s s',
	excuse, count(*), promise, round(max(s)::numeric, 2))
from judged where :'pace' = 'calm' and excuse is not null and s > promise
group by excuse, promise;

select format('difference %s was counted after %s s, promised are %s (%s)', key,
	round(s::numeric, 2), promise, coalesce(during, 'no fault'))
from judged
where :'pace' = 'calm' and excuse is null and s > promise;
