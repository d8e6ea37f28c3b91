// What waits in a queue, one by one: the outputs of the cores are drained so.
#pragma once

#include <deque>
#include <optional>
#include <utility>

namespace kith {

// The first, taken out; nullopt when there is none.
template <class T>
std::optional<T> take_front(std::deque<T>& queue) {
  if (queue.empty()) return std::nullopt;
  std::optional<T> out(std::move(queue.front()));
  queue.pop_front();
  return out;
}

}  // namespace kith
