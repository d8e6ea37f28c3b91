#include "base/html.h"

#include <gtest/gtest.h>

namespace kith {
namespace {

TEST(EscapeHtml, LeavesNothingThatEndsATextOrAnAttribute) {
  EXPECT_EQ(escape_html("<a href=\"x\" id='y'>R&D</a>"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;R&amp;D&lt;/a&gt;");
  EXPECT_EQ(escape_html("&amp;"), "&amp;amp;");
  EXPECT_EQ(escape_html("h\xc3\xa9 there"), "h\xc3\xa9 there");
}

}  // namespace
}  // namespace kith
