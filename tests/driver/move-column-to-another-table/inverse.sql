ALTER TABLE users ADD COLUMN bio TEXT;
UPDATE users SET bio = (SELECT bio FROM profiles WHERE user_id = users.id);
DROP TABLE profiles;
