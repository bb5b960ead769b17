-- Recovery puts a partition's shares of movies in place.
--
-- KEYS  1 log hash; then for each movie its share of this partition
-- ARGV  1 token of the recovery (close.lua); then for each movie its record
-- REPLY 1
-- ERROR SUPERSEDED another recovery took over; nothing was changed

local function put_movies(keys, args)
  if redis.call('HGET', keys[1], 'recovering') ~= args[1] then
    return redis.error_reply('SUPERSEDED another recovery of this partition took over')
  end
  for i = 2, #keys do redis.call('SET', keys[i], args[i]) end
  return 1
end

register('put_movies', put_movies, 'allow-oom')
