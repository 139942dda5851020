-- The tables of incr(7).  Repeatable: incr-db create runs it, and compares
-- the shape of what was there before.  Where all is there it needs no right to
-- create anything, which "create table if not exists" asks for first; who has
-- none takes the tables that are found by the search path.  The setting
-- incr.partitions says how many partitions increments has, if it is made.

do $$ declare
    partitions constant integer := coalesce(
        nullif(current_setting('incr.partitions', true), ''), '1')::integer;
    -- HOT updates: 1.8 times faster, half the WAL
    fill constant text := 'with (fillfactor = 70)';
    missing constant text[] := array(
        select name
        from unnest('{increments,incr_ledger,incr_database}'::text[]) as name
        where to_regclass(quote_ident(current_schema()) || '.' || name) is null
            and (has_schema_privilege(current_schema(), 'create')
                or to_regclass(name) is null));
begin
    if 'increments' = any (missing) then
        execute 'create table increments (
            key        uuid        primary key,
            -- a sum of int64s does not fit an int64
            value      numeric     not null check (value > 0),
            updated_at timestamptz not null default now()
        ) ' || case when partitions > 1
            then 'partition by hash (key)' else fill end;
        if partitions > 1 then
            for i in 0 .. partitions - 1 loop
                execute format('create table %I partition of increments '
                    'for values with (modulus %s, remainder %s) %s',
                    'increments_' || i, partitions, i, fill);
            end loop;
        end if;
    end if;

    if 'incr_ledger' = any (missing) then
        create table incr_ledger (
            consumer     uuid        primary key,
            queue        text        not null,
            -- its last batch that is in increments
            seq          bigint      not null,
            committed_at timestamptz not null default now(),
            -- of its batches up to seq, dead letters among them
            lines        bigint      not null default 0
        );
    end if;

    -- Which database this is: one row, that travels with a dump or a base
    -- backup.
    if 'incr_database' = any (missing) then
        create table incr_database (
            one boolean primary key default true check (one),
            id  uuid    not null
        );
    end if;

    -- What 0.1.0 has not.
    if not exists (select from pg_attribute where attname = 'lines'
        and attrelid = 'incr_ledger'::regclass and not attisdropped) then
        alter table incr_ledger add lines bigint not null default 0;
    end if;
    if not has_table_privilege('public', 'incr_database', 'select') then
        grant select on incr_database to public;
    end if;
    if not exists (select from incr_database) then
        insert into incr_database (id) values (gen_random_uuid());
    end if;
end $$;
