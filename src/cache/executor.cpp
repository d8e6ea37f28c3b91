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

// What commands are carried out with.
struct Terms {
  std::string name;  // of the cache
  resp::Protocol protocol = resp::Protocol::resp2;
  AckLevel ack = AckLevel::local;
};

struct Outcome {
  Bytes replies;
  Dot last;  // the last write of this node; zero when there was none
};

// What the sender knows, which the other side waits for: all that a client was told it finds wherever it is
// served.
constexpr size_t kMaxKnown = 4096;

void put(Writer& out, const std::vector<Dot>& known) {
  out.varint(known.size());
  for (const Dot& dot : known) {
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
  resp::ReplyWriter reply(out.replies, protocol);
  for (size_t i = 0; i < items.size(); ++i) reply.error(text);
  return out;
}

// On this node, without a pause: nothing comes in between.
Outcome carry_out(ReplicatedCache& cache, const Terms& terms, Items items) {
  Outcome out;
  resp::ReplyWriter reply(out.replies, terms.protocol);
  for (const Item& item : items) {
    Keyspace keys(cache, terms.name, item.database, cache.loop().wall_now());
    item.command->run(keys, item.args, reply);
    if (keys.last_write().seq != 0) out.last = keys.last_write();
  }
  cache.flush();
  return out;
}

runtime::Task<Outcome> carry_out_to_level(ReplicatedCache& cache, const Terms& terms, Items items) {
  Outcome out = carry_out(cache, terms, items);
  if (out.last.seq == 0 || terms.ack == AckLevel::local) co_return out;
  const bool reached = co_await cache.reached(out.last, terms.ack, cache.loop().now() + kPatience);
  if (reached) co_return out;
  const Dot last = out.last;
  out = failed(items, terms.protocol,
               "NOREPLICAS what was asked is done, and not yet held by as many nodes as it should be");
  out.last = last;
  co_return out;
}

Bytes request_of(ReplicatedCache& cache, const Terms& terms, Items items) {
  Bytes request;
  Writer out(request);
  out.string(terms.name);
  out.u8(static_cast<uint8_t>(terms.protocol));
  out.u8(static_cast<uint8_t>(terms.ack));
  put(out, cache.known());
  Batch batch;
  for (const Item& item : items) batch.add(item.database, item.args);
  out.raw(batch.view());
  return request;
}

runtime::Task<Outcome> ask(ReplicatedCache& cache, const Terms& terms, NodeId home, Items items) {
  const MonoTime deadline = cache.loop().now() + kPatience;
  Bytes request = request_of(cache, terms, items);
  auto answer =
      co_await cache.calls().ask(home, cluster::Service::cache_commands, std::move(request), deadline);
  if (!answer && answer.error().code() == Code::limit)
    co_return failed(items, terms.protocol, "ERR " + answer.error().message());
  if (!answer) {
    // It may have been done; whoever repeats an INCR has to know.
    co_return failed(items, terms.protocol,
                     "TRYAGAIN the node that decides about this key did not answer, and may have done it: " +
                         answer.error().message());
  }
  Reader in(*answer);
  const std::vector<Dot> known = get_known(in);
  Outcome out;
  const ByteView replies = in.raw(in.remaining());
  if (!in.ok())
    co_return failed(items, terms.protocol, "ERR the node that decides about this key spoke nonsense");
  out.replies.assign(replies.begin(), replies.end());
  (void)co_await applied(cache, known, deadline);
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

runtime::Task<Bytes> run_there(ReplicatedCache& cache, Terms terms, Bytes bytes, bool together) {
  const auto items = Batch::parse(bytes);
  KITH_CHECK(items.has_value());
  Bytes replies;
  for (size_t begin = 0; begin < items->size();) {
    const NodeId node =
        together ? place_for_all(cache, terms, *items) : place_for(cache, terms, (*items)[begin]);
    size_t end = together ? items->size() : begin + 1;
    while (end < items->size() && place_for(cache, terms, (*items)[end]) == node) ++end;
    const Items part = Items(*items).subspan(begin, end - begin);
    Outcome outcome;
    if (node == cache.self()) {
      outcome = co_await carry_out_to_level(cache, terms, part);
    } else {
      outcome = co_await ask(cache, terms, node, part);
    }
    append(replies, outcome.replies);
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
  const std::vector<Dot> known = get_known(in);
  const auto items = Batch::parse(in.raw(in.remaining()));
  if (!in.ok() || !items || terms.ack > AckLevel::all) co_return Error(Code::protocol, "malformed commands");
  if (!cache.ready()) co_return Error(Code::unavailable, "it has yet to catch up with the cluster");
  const bool here = co_await applied(cache, known, cache.loop().now() + kPatience);
  if (!here) co_return Error(Code::timeout, "what was written before has not arrived");
  Outcome outcome = co_await carry_out_to_level(cache, terms, *items);
  Bytes out;
  Writer writer(out);
  put(writer, cache.known());
  writer.raw(outcome.replies);
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

runtime::Task<Bytes> Executor::run(runtime::Loop& here, Batch batch, resp::Protocol protocol, bool together) {
  auto make = [this, &batch, protocol, together] {
    const ByteView bytes = batch.view();
    return run_there(cache_, Terms{name_, protocol, ack_}, Bytes(bytes.begin(), bytes.end()), together);
  };
  co_return co_await runtime::run_on<Bytes>(here, cache_.loop(), make);
}

}  // namespace kith::cache
