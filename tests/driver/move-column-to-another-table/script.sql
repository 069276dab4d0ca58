CREATE TABLE profiles(user_id INTEGER PRIMARY KEY, bio TEXT);
INSERT INTO profiles SELECT id, bio FROM users;
ALTER TABLE users DROP COLUMN bio;
