-- A small harbour: what the quickstart backs up and restores. It has one of each thing that a careless dump loses.
SET NAMES utf8mb4;
CREATE DATABASE harbour CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'Ships, crates and who moved them';
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
  scan LONGBLOB NOT NULL
) ENGINE=InnoDB;

CREATE TABLE moves (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  crate_id INT UNSIGNED NOT NULL,
  moved_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB;

CREATE SEQUENCE berth_numbers START WITH 100 INCREMENT BY 10;

INSERT INTO ships (name, flag, arrived) VALUES
  ('Möwe', 'DE', '2024-02-29'), ('海鸥', 'CN', '2024-03-01'), ('Sea 🐬 Breeze', 'NO', '2024-03-02'),
  ('L''Étoile "du" Nord', 'FR', '2024-03-03'), ('Ελπίδα', 'GR', '2024-03-04');

INSERT INTO crates (ship_id, label, weight_kg, seal, contents)
  SELECT 1 + seq % 5, CONCAT('crate ', seq, IF(seq % 7 = 0, ' 📦', '')), 1 + (seq * 37 % 1999) / 2,
         UNHEX(SHA2(CONCAT('seal', seq), 256)), REPEAT(CONCAT('item ', MD5(seq), '\n'), 1 + seq % 20)
    FROM seq_1_to_8000;

INSERT INTO documents
  SELECT seq, CONCAT('Bill of lading № ', seq), UNHEX(REPEAT(CONCAT(SHA2(seq, 512), '000D0A1A27225CFF'), 400))
    FROM seq_1_to_40;

DO NEXTVAL(berth_numbers);

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
