-- Recovery puts all that is known of a user in the place of what is there: one atomic step. Movies are put apart.
--
-- KEYS  1 log hash
-- ARGV  1 token of the recovery (close.lua)   2 and on: the image (include/images.lua)
-- REPLY 1
-- ERROR SUPERSEDED another recovery took over; nothing was changed

local function put_user(keys, args)
  if redis.call('HGET', keys[1], 'recovering') ~= args[1] then
    return redis.error_reply('SUPERSEDED another recovery of this partition took over')
  end
  local tag, image = tag_of(keys[1]), read_image(args, 2)
  forget_user(tag, read_user_at(tag, image.name))
  write_image(tag, image) -- without pairs too: until Postgres has erased a user, an empty record says so
  return 1
end

register('put_user', put_user, 'allow-oom')
