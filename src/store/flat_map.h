// The hash map of the stores: open addressing, so no allocation per entry. One alias, so that the
// choice can change in one place. Keys are hashes or random already.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/bytes.h"

namespace kith::store {

template <class Key, class Value>
using FlatMap = boost::unordered_flat_map<Key, Value, IdHash>;

}  // namespace kith::store
