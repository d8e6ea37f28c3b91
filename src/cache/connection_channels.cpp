// Commands about channels, as Redis 7 answers them.

#include <algorithm>

#include "base/text.h"
#include "cache/connection.h"
#include "cache/glob.h"

namespace kith::cache {

using resp::ReplyWriter;

namespace {

constexpr size_t kMaxSubscriptions = 1024;  // of one connection: each pattern costs every publication

}  // namespace

void Connection::on_subscribe(Args args) { subscribe(args, false); }
void Connection::on_psubscribe(Args args) { subscribe(args, true); }
void Connection::on_unsubscribe(Args args) { unsubscribe(args, false); }
void Connection::on_punsubscribe(Args args) { unsubscribe(args, true); }

void Connection::confirm(std::string_view what, std::optional<std::string_view> channel) {
  ReplyWriter out = reply();
  out.push(3);
  out.bulk(what);
  channel ? out.bulk(*channel) : out.null();
  out.integer(static_cast<int64_t>(channels_.size() + patterns_.size()));
}

void Connection::subscribe(Args args, bool pattern) {
  const std::string& cache = shared_.executor.name();
  for (std::string_view each : args.subspan(1)) {
    if (each.size() > kMaxPattern) {
      reply().error("ERR the channel's name is longer than 1 KiB");
      continue;
    }
    if (channels_.size() + patterns_.size() >= kMaxSubscriptions) {
      reply().error("ERR more than 1024 subscriptions of one connection");
      continue;
    }
    const std::string name(each);
    (pattern ? patterns_ : channels_).insert(name);
    pattern ? shared_.pubsub.subscribe_pattern(cache, name, mailbox_)
            : shared_.pubsub.subscribe(cache, name, mailbox_);
    confirm(pattern ? "psubscribe" : "subscribe", name);
  }
  note_card();
}

void Connection::unsubscribe(Args args, bool pattern) {
  const std::string& cache = shared_.executor.name();
  const std::string_view what = pattern ? "punsubscribe" : "unsubscribe";
  std::set<std::string>& held = pattern ? patterns_ : channels_;
  std::vector<std::string> names(args.begin() + 1, args.end());
  if (names.empty()) names.assign(held.begin(), held.end());
  for (const std::string& name : names) {
    held.erase(name);
    pattern ? shared_.pubsub.unsubscribe_pattern(cache, name, mailbox_)
            : shared_.pubsub.unsubscribe(cache, name, mailbox_);
    confirm(what, name);
  }
  if (names.empty()) confirm(what, std::nullopt);
  note_card();
}

void Connection::unsubscribe_all() {
  const std::string& cache = shared_.executor.name();
  for (const std::string& name : channels_) shared_.pubsub.unsubscribe(cache, name, mailbox_);
  for (const std::string& name : patterns_) shared_.pubsub.unsubscribe_pattern(cache, name, mailbox_);
  channels_.clear();
  patterns_.clear();
}

void Connection::on_publish(Args args) {
  const std::string& cache = shared_.executor.name();
  if (args[1].size() > kMaxPattern) return reply().error("ERR the channel's name is longer than 1 KiB");
  if (args[2].size() > PubSub::kMaxPayload) return reply().error("ERR the message is larger than 256 KiB");
  publishing_ = true;
  const size_t count = shared_.pubsub.publish(cache, {std::string(args[1]), std::string(args[2])});
  publishing_ = false;
  reply().integer(static_cast<int64_t>(count));
}

void Connection::on_pubsub(Args args) {
  const std::string& cache = shared_.executor.name();
  ReplyWriter out = reply();
  if (iequals(args[1], "CHANNELS")) {
    std::vector<std::string> channels = shared_.pubsub.channels(cache);
    if (args.size() > 2)
      std::erase_if(channels, [&](const std::string& channel) { return !glob_matches(args[2], channel); });
    out.array(channels.size());
    for (const std::string& channel : channels) out.bulk(std::string_view(channel));
  } else if (iequals(args[1], "NUMSUB")) {
    out.array(2 * (args.size() - 2));
    for (std::string_view channel : args.subspan(2)) {
      out.bulk(channel);
      out.integer(static_cast<int64_t>(shared_.pubsub.subscribers(cache, std::string(channel))));
    }
  } else {
    out.integer(static_cast<int64_t>(shared_.pubsub.patterns(cache)));
  }
}

}  // namespace kith::cache
