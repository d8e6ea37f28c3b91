// An expression (the first line) and a path (the rest). Whatever they are, matching ends soon, and a group
// around the whole expression changes nothing.
#include "base/bytes.h"
#include "base/check.h"
#include "gateway/pattern.h"

using namespace kith;
using namespace kith::gateway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = as_text(ByteView(data, size));
  size_t line = text.find('\n');
  if (line == text.npos || line > 1000) return 0;
  std::string_view expression = text.substr(0, line);
  std::string_view path = text.substr(line + 1);
  auto pattern = Pattern::compile(expression);
  if (!pattern) return 0;
  bool matches = pattern->matches(path);
  if (expression.starts_with("(?i)")) return 0;  // stands in front only
  auto grouped = Pattern::compile("(?:" + std::string(expression) + ")");
  if (grouped) KITH_CHECK(grouped->matches(path) == matches);
  return 0;
}
