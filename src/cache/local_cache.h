// A cache in the memory of this node alone.
#pragma once

#include <memory>

#include "cache/cache.h"

namespace kith::cache {

// Holds at most max_bytes, keys and book-keeping included; when a write needs room, what was used least
// recently goes. A write that would not fit an empty cache fails with limit. From any thread; calls never
// wait for anything but each other, shortly. Time is that of the loop that calls, so all loops share a clock.
std::unique_ptr<Cache> make_local_cache(size_t max_bytes);

}  // namespace kith::cache
