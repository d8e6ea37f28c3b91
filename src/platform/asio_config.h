// Internal to platform/: the narrow part of Asio we use, with concrete executors (no type erasure on
// the hot path). Never included by a public header.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

namespace kith::platform {

using Executor = boost::asio::io_context::executor_type;
using SteadyTimer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

}  // namespace kith::platform
