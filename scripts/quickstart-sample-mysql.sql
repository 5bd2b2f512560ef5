-- A small harbour for MySQL: what the quickstart backs up and restores. It has one of each thing that a careless dump loses.
SET NAMES utf8mb4;
SET SESSION cte_max_recursion_depth = 10000;
CREATE DATABASE harbour CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE harbour;

CREATE TABLE ships (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NOT NULL UNIQUE,
  flag CHAR(2) NOT NULL,
  arrived DATE NOT NULL
) ENGINE=InnoDB;

CREATE TABLE crates (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ship_id INT UNSIGNED NOT NULL,
  label VARCHAR(120) NOT NULL,
  weight_kg DECIMAL(9,3) NOT NULL CHECK (weight_kg > 0),
  seal VARBINARY(32) NOT NULL,
  contents TEXT,
  heavy BOOLEAN AS (weight_kg > 500) VIRTUAL,
  loaded_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  KEY by_ship (ship_id, loaded_at),
  CONSTRAINT crate_of_ship FOREIGN KEY (ship_id) REFERENCES ships (id)
) ENGINE=InnoDB;

CREATE TABLE documents (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  title VARCHAR(120) NOT NULL,
  scan LONGBLOB NOT NULL,
  marks JSON,
  place POINT SRID 4326,
  seen DATE INVISIBLE DEFAULT (CURRENT_DATE),
  KEY by_mark ((CAST(marks->>'$.page' AS UNSIGNED)))
) ENGINE=InnoDB;

CREATE TABLE moves (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  crate_id INT UNSIGNED NOT NULL,
  moved_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB;

INSERT INTO ships (name, flag, arrived) VALUES
  ('Möwe', 'DE', '2024-02-29'), ('海鸥', 'CN', '2024-03-01'), ('Sea 🐬 Breeze', 'NO', '2024-03-02'),
  ('L''Étoile "du" Nord', 'FR', '2024-03-03'), ('Ελπίδα', 'GR', '2024-03-04');

INSERT INTO crates (ship_id, label, weight_kg, seal, contents)
  WITH RECURSIVE numbers (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < 8000)
  SELECT 1 + seq % 5, CONCAT('crate ', seq, IF(seq % 7 = 0, ' 📦', '')), 1 + (seq * 37 % 1999) / 2,
         UNHEX(SHA2(CONCAT('seal', seq), 256)), REPEAT(CONCAT('item ', MD5(seq), '\n'), 1 + seq % 20)
    FROM numbers;

INSERT INTO documents (id, title, scan, marks, place)
  WITH RECURSIVE numbers (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < 40)
  SELECT seq, CONCAT('Bill of lading № ', seq), UNHEX(REPEAT(CONCAT(SHA2(seq, 512), '000D0A1A27225CFF'), 400)),
         JSON_OBJECT('page', seq, 'note', 'gelöscht 🐬', 'weights', JSON_ARRAY(1, 2.5e0, NULL)),
         ST_SRID(POINT(seq, -seq), 4326)
    FROM numbers;

ANALYZE TABLE crates UPDATE HISTOGRAM ON weight_kg WITH 16 BUCKETS;

CREATE VIEW loads AS
  SELECT s.name AS ship, COUNT(*) AS crates, SUM(c.weight_kg) AS weight_kg
    FROM ships s JOIN crates c ON c.ship_id = s.id GROUP BY s.id;

DELIMITER ;;
CREATE FUNCTION load_of(ship VARCHAR(80)) RETURNS DECIMAL(12,3) READS SQL DATA
BEGIN
  /* what a ship carries, in kilograms */
  RETURN (SELECT weight_kg FROM loads WHERE loads.ship = ship);
END;;
CREATE TRIGGER log_move AFTER UPDATE ON crates FOR EACH ROW
  IF NEW.ship_id <> OLD.ship_id THEN
    INSERT INTO moves (crate_id) VALUES (NEW.id);
  END IF;;
CREATE EVENT forget_old_moves ON SCHEDULE EVERY 1 DAY DO
  DELETE FROM moves WHERE moved_at < NOW() - INTERVAL 1 YEAR;;
DELIMITER ;

UPDATE crates SET ship_id = 2 WHERE id IN (7, 14, 21);
