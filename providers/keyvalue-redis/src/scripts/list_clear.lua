-- KEYS: the list. Asking for its length fails where it is something else.
redis.call('LLEN', KEYS[1])
return redis.call('UNLINK', KEYS[1])
