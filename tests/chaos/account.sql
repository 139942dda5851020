-- What clients were told (said) against what was counted (increments): lines
-- that begin with "class" are for information, "difference" should not be.

create temporary table due as
select key, min(class) as class, count(*) as n,
	coalesce(sum(value) filter (where verdict = 'counted'), 0) as low,
	coalesce(sum(value) filter (where verdict <> 'refused'), 0) as high,
	string_agg(distinct why, ',') as why
from said group by key;

-- A key with one item has its value or nothing, whatever lies between.
select 'difference ' || coalesce(class, 'nobody') || ' ' || key || ' is ' ||
	coalesce(i.value, 0) || ', due ' || coalesce(low, 0) || ' to ' ||
	coalesce(high, 0) || coalesce(' of ' || n, '') ||
	coalesce(', answers' || left(why, 60), '')
from due full join increments i using (key)
where class is null or coalesce(i.value, 0) < low
	or coalesce(i.value, 0) > high
	or (n = 1 and coalesce(i.value, 0) not in (low, high));

select 'difference ' || class || ' ' || key || ': answers ' || why
from said where why like '%odd%' or why ~ '\m4(0[0-79]|[13-9])';

select 'class ' || class || ': ' ||
	count(*) filter (where verdict = 'counted') || ' counted, ' ||
	count(*) filter (where verdict = 'perhaps') || ' perhaps (' ||
	count(*) filter (where verdict = 'perhaps' and found) || ' of ' ||
	count(*) filter (where verdict = 'perhaps' and n = 1) ||
	' known were), ' ||
	count(*) filter (where verdict = 'refused') || ' refused'
from (select said.*, due.n, i.key is not null and due.n = 1 as found
	from said join due using (key) left join increments i using (key)) as s
group by class order by class;

select 'difference nothing was counted' where not exists
	(select from said where verdict = 'counted');

select 'class shared keys: ' || count(*) || ', the largest sum ' ||
	max(i.value) || ' in ' || max(low) || ' to ' || max(high)
from due join increments i using (key) where n > 1;
