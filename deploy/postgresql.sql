-- Two roles. The house owns the database; Rasa sees the one table that it keeps its memory in.
-- As PostgreSQL's administrator, once, before earshot migrate:  psql -v ON_ERROR_STOP=1 -f postgresql.sql
-- Then, after earshot migrate:                                  psql -d earshot -c "SELECT grant_to_rasa()"
--
-- The users of the units become these roles without a password. In pg_ident.conf:
--   earshot  earshot-gateway  earshot
--   earshot  earshot-actions  earshot
--   earshot  earshot-rasa     earshot_rasa
-- and in pg_hba.conf, above the other lines:
--   local  earshot  earshot,earshot_rasa  peer map=earshot
CREATE ROLE earshot LOGIN;
CREATE ROLE earshot_rasa LOGIN;
CREATE DATABASE earshot OWNER earshot;
REVOKE ALL ON DATABASE earshot FROM PUBLIC;
GRANT CONNECT ON DATABASE earshot TO earshot_rasa;
\connect earshot
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO earshot;
GRANT USAGE ON SCHEMA public TO earshot_rasa;
-- Not before the tables are there, and again after a migration that made the table anew.
CREATE FUNCTION grant_to_rasa() RETURNS void LANGUAGE sql AS
  $$ GRANT SELECT, INSERT, UPDATE ON dialogue_state TO earshot_rasa $$;
REVOKE ALL ON FUNCTION grant_to_rasa() FROM PUBLIC;
