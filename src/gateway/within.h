// A task with a deadline that its awaiter keeps and the task need not know of: what a connector does
// may take as long as it likes, the browser is answered in time.
#pragma once

#include <memory>

#include "base/result.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::gateway {

namespace detail {

// Shared by the awaiter and the task, whichever ends last.
template <class T>
using Handover = std::shared_ptr<runtime::OneShot<Result<T>>>;

template <class T>
runtime::Task<void> hand_over(runtime::Task<Result<T>> task, Handover<T> result) {
  Result<T> value = co_await std::move(task);
  result->set(std::move(value));
}

}  // namespace detail

// The task's result, or timeout when the deadline comes first; the task then goes on in the scope,
// its result unused. Its parameters are by value.
template <class T>
runtime::Task<Result<T>> within(runtime::Loop& loop, runtime::Scope& scope, MonoTime deadline,
                                runtime::Task<Result<T>> task) {
  auto result = std::make_shared<runtime::OneShot<Result<T>>>();
  scope.spawn(detail::hand_over<T>(std::move(task), result));
  runtime::Timer timer;
  if (!result->is_set()) {
    timer = loop.call_at(deadline, [result] { result->set(Error(Code::timeout, "endpoint timeout")); });
  }
  co_return co_await result->wait();
}

}  // namespace kith::gateway
