#include "cache/pubsub.h"

#include <vector>

#include "base/codec.h"
#include "cache/glob.h"

namespace kith::cache {
namespace {

constexpr size_t kMaxName = 128;  // of a cache

void drop(std::map<std::string, std::set<PubSub::Box>>& from, const std::string& name,
          const PubSub::Box& box) {
  auto found = from.find(name);
  if (found == from.end()) return;
  found->second.erase(box);
  if (found->second.empty()) from.erase(found);
}

}  // namespace

PubSub::PubSub(cluster::ReplicatedCache& cluster) : cluster_(cluster) {
  cluster_.calls().hear(cluster::Service::publish, [this](NodeId, ByteView words) {
    Reader in(words);
    const std::string cache = in.string(kMaxName);
    auto publication = std::make_shared<Publication>();
    publication->channel = in.string(kMaxPattern);
    publication->payload = in.string(kMaxPayload);
    if (in.ok()) deliver(cache, publication);
  });
}

void PubSub::subscribe(const std::string& cache, const std::string& channel, const Box& box) {
  std::lock_guard lock(mutex_);
  caches_[cache].channels[channel].insert(box);
}
void PubSub::unsubscribe(const std::string& cache, const std::string& channel, const Box& box) {
  std::lock_guard lock(mutex_);
  drop(caches_[cache].channels, channel, box);
}
void PubSub::subscribe_pattern(const std::string& cache, const std::string& pattern, const Box& box) {
  std::lock_guard lock(mutex_);
  caches_[cache].patterns[pattern].insert(box);
}
void PubSub::unsubscribe_pattern(const std::string& cache, const std::string& pattern, const Box& box) {
  std::lock_guard lock(mutex_);
  drop(caches_[cache].patterns, pattern, box);
}

size_t PubSub::publish(const std::string& cache, Publication publication) {
  auto shared = std::make_shared<const Publication>(std::move(publication));
  const size_t count = deliver(cache, shared);
  auto words = std::make_shared<Bytes>();
  Writer out(*words);
  out.string(cache);
  out.string(shared->channel);
  out.string(shared->payload);
  const size_t size = words->size();
  if (waiting_->fetch_add(size) > kMaxWaiting) {
    *waiting_ -= size;
    return count;
  }
  cluster::ReplicatedCache* cluster = &cluster_;
  cluster_.loop().post([cluster, words, size, waiting = waiting_] {
    *waiting -= size;
    for (const NodeId& node : cluster->others())
      cluster->calls().tell(node, cluster::Service::publish, *words);
  });
  return count;
}

size_t PubSub::deliver(const std::string& cache, const std::shared_ptr<const Publication>& publication) {
  struct Target {
    Box box;
    std::shared_ptr<const std::string> pattern;
  };
  std::vector<Target> targets;
  {
    std::lock_guard lock(mutex_);
    auto found = caches_.find(cache);
    if (found == caches_.end()) return 0;
    if (auto channel = found->second.channels.find(publication->channel);
        channel != found->second.channels.end())
      for (const Box& box : channel->second) targets.push_back({box, nullptr});
    for (const auto& [pattern, boxes] : found->second.patterns) {
      if (!glob_matches(pattern, publication->channel)) continue;
      auto shared = std::make_shared<const std::string>(pattern);
      for (const Box& box : boxes) targets.push_back({box, shared});
    }
  }
  for (const Target& target : targets) {
    auto hand_over = [target, publication] {
      const Mailbox::Deliver deliver = target.box->deliver_;  // it may be closed by what it does
      if (deliver) deliver(*publication, target.pattern.get());
    };
    target.box->loop_.on_this_thread() ? hand_over() : target.box->loop_.post(hand_over);
  }
  return targets.size();
}

std::vector<std::string> PubSub::channels(const std::string& cache) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  if (auto found = caches_.find(cache); found != caches_.end())
    for (const auto& [channel, boxes] : found->second.channels) out.push_back(channel);
  return out;
}

size_t PubSub::subscribers(const std::string& cache, const std::string& channel) const {
  std::lock_guard lock(mutex_);
  auto found = caches_.find(cache);
  if (found == caches_.end()) return 0;
  auto boxes = found->second.channels.find(channel);
  return boxes == found->second.channels.end() ? 0 : boxes->second.size();
}

size_t PubSub::patterns(const std::string& cache) const {
  std::lock_guard lock(mutex_);
  auto found = caches_.find(cache);
  return found == caches_.end() ? 0 : found->second.patterns.size();
}

}  // namespace kith::cache
