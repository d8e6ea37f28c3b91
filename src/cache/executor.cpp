#include "cache/executor.h"

#include <algorithm>

#include "base/codec.h"
#include "runtime/sync.h"

namespace kith::cache {
namespace {

using cluster::AckLevel;
using cluster::ReplicatedCache;
using Item = Batch::Item;
using Items = std::span<const Item>;

constexpr size_t kMaxArgs = 64 << 10;
constexpr size_t kMaxName = 128;
// For a home to answer, for its writes to arrive here, and for acknowledgements: well above a round trip to
// the other side of the world, and below the patience of clients.
constexpr Duration kPatience = 3s;

// Of one part of a batch, in memory; and of one that another member answers, with what else is in its answer.
constexpr size_t kMaxReplies = 32 << 20;
constexpr size_t kMaxAnswered = cluster::Calls::kMaxAnswer - (192 << 10);
// The most that one command which changes something replies: the value that was there.
constexpr size_t kMaxReplyOfWrite = (60 << 10) + 64;

constexpr std::string_view kTooMuch = "ERR too much to reply at a time; this command was not carried out";
constexpr std::string_view kNotDone = "TRYAGAIN not carried out: commands before it took too long";

// What commands are carried out with.
struct Terms {
  std::string name;  // of the cache
  resp::Protocol protocol = resp::Protocol::resp2;
  AckLevel ack = AckLevel::local;
};

struct Replies {
  Bytes bytes;
  std::vector<size_t> ends;  // of the reply to each command

  void close() { ends.push_back(bytes.size()); }
  ByteView at(size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return ByteView(bytes).subspan(begin, ends[i] - begin);
  }
};

struct Outcome {
  Replies replies;
  Dot last;           // the last write of this node; zero when there was none
  bool late = false;  // it took all the time there was
};

// What the sender knows, which the other side waits for: all that a client was told it finds wherever it is
// served.
constexpr size_t kMaxKnown = 4096;

void put(Writer& out, const std::vector<Dot>& known) {
  const size_t count = std::min(known.size(), kMaxKnown);
  out.varint(count);
  for (const Dot& dot : std::span(known).first(count)) {
    out.id(dot.origin.node);
    out.u64(dot.origin.incarnation);
    out.u64(dot.seq);
  }
}

std::vector<Dot> get_known(Reader& in) {
  std::vector<Dot> known;
  const uint64_t count = in.varint();
  if (count > kMaxKnown) in.fail();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    Dot dot;
    dot.origin.node = in.id<NodeId>();
    dot.origin.incarnation = in.u64();
    dot.seq = in.u64();
    known.push_back(dot);
  }
  return known;
}

runtime::Task<bool> applied(ReplicatedCache& cache, const std::vector<Dot>& known, MonoTime deadline) {
  for (const Dot& dot : known) {
    const bool here = co_await cache.applied(dot, deadline);
    if (!here) co_return false;
  }
  co_return true;
}

Outcome failed(Items items, resp::Protocol protocol, std::string_view text) {
  Outcome out;
  resp::ReplyWriter reply(out.replies.bytes, protocol);
  for (size_t i = 0; i < items.size(); ++i) {
    reply.error(text);
    out.replies.close();
  }
  return out;
}

bool writes(const Item& item) { return place_of(*item.command, item.args) != Place::read; }

// On this node, without a pause: nothing comes in between. A command that changes something is not begun when
// there may be no room for its reply: what is done is told.
Outcome carry_out(ReplicatedCache& cache, const Terms& terms, Items items, size_t max_bytes) {
  Outcome out;
  Bytes& bytes = out.replies.bytes;
  resp::ReplyWriter reply(bytes, terms.protocol);
  for (const Item& item : items) {
    const size_t before = bytes.size();
    if (writes(item) && before + kMaxReplyOfWrite > max_bytes) {
      reply.error(kTooMuch);
    } else {
      Keyspace keys(cache, terms.name, item.database, cache.loop().wall_now());
      item.command->run(keys, item.args, reply);
      if (keys.last_write().seq != 0) out.last = keys.last_write();
      if (bytes.size() > max_bytes && !writes(item)) {
        bytes.resize(before);
        reply.error(kTooMuch);
      }
    }
    out.replies.close();
  }
  cache.flush();
  return out;
}

runtime::Task<Outcome> carry_out_to_level(ReplicatedCache& cache, const Terms& terms, Items items,
                                          size_t max_bytes, MonoTime deadline) {
  Outcome out = carry_out(cache, terms, items, max_bytes);
  if (out.last.seq == 0 || terms.ack == AckLevel::local) co_return out;
  const bool reached = co_await cache.reached(out.last, terms.ack, deadline);
  if (reached) co_return out;
  const Outcome unheld =
      failed(items, terms.protocol,
             "NOREPLICAS what was asked is done, and not yet held by as many nodes as it should be");
  Outcome told{.last = out.last, .late = true};
  for (size_t i = 0; i < items.size(); ++i) {
    append(told.replies.bytes, (writes(items[i]) ? unheld : out).replies.at(i));
    told.replies.close();
  }
  co_return told;
}

Bytes request_of(ReplicatedCache& cache, const Terms& terms, Items items, Duration patience) {
  Bytes request;
  Writer out(request);
  out.string(terms.name);
  out.u8(static_cast<uint8_t>(terms.protocol));
  out.u8(static_cast<uint8_t>(terms.ack));
  out.varint(static_cast<uint64_t>(patience / 1ms));
  put(out, cache.known());
  Batch batch;
  for (const Item& item : items) batch.add(item.database, item.args);
  out.raw(batch.view());
  return request;
}

// nullopt when it is not one reply for each command.
std::optional<Replies> get_replies(Reader& in, size_t count) {
  Replies replies;
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t size = in.varint();
    if (!in.ok() || size == 0 || size > in.remaining()) return std::nullopt;
    replies.ends.push_back(total += static_cast<size_t>(size));
  }
  const ByteView bytes = in.raw(total);
  if (!in.done()) return std::nullopt;
  replies.bytes.assign(bytes.begin(), bytes.end());
  return replies;
}

runtime::Task<Outcome> ask(ReplicatedCache& cache, const Terms& terms, NodeId home, Items items,
                           MonoTime deadline) {
  // It answers before nobody listens any more: what it was late with is told as that.
  const Duration patience = (deadline - cache.loop().now()) * 4 / 5;
  Bytes request = request_of(cache, terms, items, patience);
  auto answer =
      co_await cache.calls().ask(home, cluster::Service::cache_commands, std::move(request), deadline);
  if (!answer && answer.error().code() == Code::limit)
    co_return failed(items, terms.protocol, "ERR " + answer.error().message());
  if (!answer) {
    // Whoever repeats an INCR has to know.
    Outcome out =
        failed(items, terms.protocol,
               "UNCERTAIN the node that decides about this key did not answer, and may have done it: " +
                   answer.error().message());
    out.late = answer.error().code() == Code::timeout;
    co_return out;
  }
  Reader in(*answer);
  const std::vector<Dot> known = get_known(in);
  auto replies = get_replies(in, items.size());
  if (!replies)
    co_return failed(items, terms.protocol,
                     "UNCERTAIN the node that decides about this key gave no answer to be understood");
  Outcome out{.replies = std::move(*replies)};
  // What the client reads next, here, shows what it was told; unless that does not come in time.
  const bool here = co_await applied(cache, known, deadline);
  out.late = !here;
  co_return out;
}

NodeId place_for(const ReplicatedCache& cache, const Terms& terms, const Item& item) {
  if (place_of(*item.command, item.args) != Place::decide) return cache.self();
  return cache.home_of(store::key_of(space_of(terms.name, item.database), item.args[1]));
}

// All at one node: at the home of the first key that has to be decided about.
NodeId place_for_all(const ReplicatedCache& cache, const Terms& terms, Items items) {
  for (const Item& item : items)
    if (place_of(*item.command, item.args) == Place::decide) return place_for(cache, terms, item);
  return cache.self();
}

size_t writes_of(Args args, const Command& command) {
  if (command.run == commands::flushall) return kDatabases;
  if (command.run == commands::del) return args.size() - 1;
  if (command.run == commands::mset) return args.size() / 2;
  return place_of(command, args) == Place::read ? 0 : 1;
}

size_t writes_of(Items items) {
  size_t sum = 0;
  for (const Item& item : items) sum += writes_of(item.args, *item.command);
  return sum;
}

runtime::Task<Bytes> run_there(ReplicatedCache& cache, Terms terms, Bytes bytes, bool together,
                               std::stop_token stop) {
  const auto items = Batch::parse(bytes);
  KITH_CHECK(items.has_value());
  Bytes replies;
  bool late = false;  // then nobody is waited for any more, so that many do not add up
  for (size_t begin = 0; begin < items->size();) {
    const NodeId node =
        together ? place_for_all(cache, terms, *items) : place_for(cache, terms, (*items)[begin]);
    size_t end = together ? items->size() : begin + 1;
    while (end < items->size() && place_for(cache, terms, (*items)[end]) == node) ++end;
    const Items part = Items(*items).subspan(begin, end - begin);
    const MonoTime deadline = cache.loop().now() + (late ? Duration{0} : kPatience);
    Outcome outcome;
    if (stop.stop_requested() || (late && node != cache.self())) {
      outcome = failed(part, terms.protocol, kNotDone);
    } else if (together && writes_of(part) > Batch::kMaxWrites) {
      outcome = failed(part, terms.protocol, "ERR the transaction has more than 10000 writes");
    } else if (node == cache.self()) {
      outcome = co_await carry_out_to_level(cache, terms, part, kMaxReplies, deadline);
    } else {
      outcome = co_await ask(cache, terms, node, part, deadline);
    }
    late = late || outcome.late;
    append(replies, outcome.replies.bytes);
    begin = end;
  }
  co_return replies;
}

runtime::Task<Result<Bytes>> answer(ReplicatedCache& cache, Bytes request) {
  Reader in(request);
  Terms terms;
  terms.name = in.string(kMaxName);
  terms.protocol = in.u8() == 3 ? resp::Protocol::resp3 : resp::Protocol::resp2;
  terms.ack = static_cast<AckLevel>(in.u8());
  const auto patience = std::chrono::milliseconds(std::min<uint64_t>(in.varint(), kPatience / 1ms));
  const std::vector<Dot> known = get_known(in);
  const auto items = Batch::parse(in.raw(in.remaining()));
  if (!in.ok() || !items || terms.ack > AckLevel::all) co_return Error(Code::protocol, "malformed commands");
  if (writes_of(*items) > Batch::kMaxWrites) co_return Error(Code::limit, "too many writes at a time");
  if (!cache.ready())
    co_return Error(Code::limit, "the node that decides has yet to catch up; nothing was done");
  // What the client wrote before, there, is known here before it is decided.
  const MonoTime deadline = cache.loop().now() + patience;
  const bool here = co_await applied(cache, known, deadline);
  if (!here) co_return Error(Code::limit, "what was written before has not arrived; nothing was done");
  const Outcome outcome = co_await carry_out_to_level(cache, terms, *items, kMaxAnswered, deadline);
  Bytes out;
  Writer writer(out);
  put(writer, cache.known());
  for (size_t i = 0; i < items->size(); ++i) writer.varint(outcome.replies.at(i).size());
  writer.raw(outcome.replies.bytes);
  co_return out;
}

}  // namespace

// ---------------------------------------------------------------- batches

void Batch::add(int database, Args args) {
  Writer out(bytes_);
  out.u8(static_cast<uint8_t>(database));
  out.varint(args.size());
  for (std::string_view arg : args) out.string(arg);
  ++count_;
  if (const Command* command = args.empty() ? nullptr : find_command(args[0]))
    writes_ += writes_of(args, *command);
}

std::optional<std::vector<Item>> Batch::parse(ByteView bytes) {
  std::vector<Item> items;
  Reader in(bytes);
  while (in.ok() && in.remaining() > 0) {
    Item item;
    item.database = in.u8();
    const uint64_t count = in.varint();
    if (count > kMaxArgs || item.database >= kDatabases) return std::nullopt;
    for (uint64_t i = 0; i < count && in.ok(); ++i) item.args.push_back(as_text(in.bytes(in.remaining())));
    if (!in.ok() || item.args.empty()) return std::nullopt;
    item.command = find_command(item.args[0]);
    if (item.command == nullptr || item.command->run == nullptr ||
        !has_arity(*item.command, item.args.size()))
      return std::nullopt;
    items.push_back(std::move(item));
  }
  if (!in.ok()) return std::nullopt;
  return items;
}

// ---------------------------------------------------------------- the executor

void Executor::serve(ReplicatedCache& cache) {
  cache.calls().answer(cluster::Service::cache_commands,
                       [&cache](NodeId, Bytes request) { return answer(cache, std::move(request)); });
}

void Executor::read(int database, const Command& command, Args args, resp::ReplyWriter& reply) const {
  Keyspace keys(cache_.table(), name_, database, cache_.loop().wall_now());
  command.run(keys, args, reply);
}

runtime::Task<Bytes> Executor::run(runtime::Loop& here, Batch batch, resp::Protocol protocol, bool together,
                                   std::stop_token stop) {
  auto make = [this, &batch, protocol, together, stop] {
    const ByteView bytes = batch.view();
    return run_there(cache_, Terms{name_, protocol, ack_}, Bytes(bytes.begin(), bytes.end()), together, stop);
  };
  co_return co_await runtime::run_on<Bytes>(here, cache_.loop(), make);
}

}  // namespace kith::cache
