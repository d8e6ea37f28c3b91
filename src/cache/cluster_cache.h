// A cluster's cache, for the modes: every node holds every entry. A write is done here at once and is on the
// others within milliseconds; of two at the same time the later one wins, on all of them.
#pragma once

#include <memory>

#include "cache/cache.h"
#include "cluster/replicated_cache.h"

namespace kith::cache {

// What is in it is not seen through the cache's Redis-protocol endpoint, nor the other way round. The
// cluster's cache outlives it.
std::unique_ptr<Cache> make_cluster_cache(cluster::ReplicatedCache& cache, std::string name,
                                          cluster::AckLevel ack);

}  // namespace kith::cache
