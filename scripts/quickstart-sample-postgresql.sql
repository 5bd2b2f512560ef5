-- A small database with one of everything: tables with keys, a view, a function, a trigger, a sequence.
CREATE DATABASE harbour;
\connect harbour
CREATE TYPE berth_kind AS ENUM ('quay', 'buoy', 'pontoon');
CREATE TABLE berths (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind berth_kind NOT NULL,
  name text NOT NULL UNIQUE,
  depth_m numeric(4, 1) NOT NULL CHECK (depth_m > 0)
);
CREATE TABLE ships (
  id bigserial PRIMARY KEY,
  name text NOT NULL,
  papers jsonb NOT NULL DEFAULT '{}',
  photo bytea,
  arrived_at timestamptz NOT NULL,
  berth_id integer REFERENCES berths (id)
);
CREATE INDEX ships_by_arrival ON ships (arrived_at) WHERE berth_id IS NOT NULL;
CREATE TABLE log (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what text NOT NULL);
CREATE FUNCTION note_arrival() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  INSERT INTO log (at, what) VALUES (NEW.arrived_at, format('%s has arrived', NEW.name));
  RETURN NEW;
END $$;
CREATE TRIGGER arrivals AFTER INSERT ON ships FOR EACH ROW EXECUTE FUNCTION note_arrival();
CREATE VIEW moored AS SELECT s.name AS ship, b.name AS berth FROM ships s JOIN berths b ON b.id = s.berth_id;
INSERT INTO berths (kind, name, depth_m)
  SELECT (ARRAY['quay', 'buoy', 'pontoon'])[1 + i % 3]::berth_kind, format('Berth %s', i), 3 + i % 12 FROM generate_series(1, 40) AS i;
INSERT INTO ships (name, papers, photo, arrived_at, berth_id)
  SELECT format('Ship “%s” 🚢', i), jsonb_build_object('crew', i % 30, 'flag', chr(65 + i % 26)), decode(md5(i::text), 'hex'),
         timestamptz '2026-01-01 00:00:00+00' + i * interval '17 minutes', CASE WHEN i % 4 = 0 THEN NULL ELSE 1 + i % 40 END
    FROM generate_series(1, 5000) AS i;
