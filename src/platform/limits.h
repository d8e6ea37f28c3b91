// Limits of this process that the operating system keeps.
#pragma once

#include <cstddef>

namespace kith::platform {

// Raises the number of files and connections this process may have open as far as it may without
// privileges; returns it.
size_t raise_file_limit();

}  // namespace kith::platform
