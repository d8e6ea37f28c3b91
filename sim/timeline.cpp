#include "sim/timeline.h"

#include <algorithm>
#include <cstdio>

namespace kith::sim {
namespace {

constexpr double kLeft = 90, kTop = 60, kWidth = 1100, kRow = 22, kBar = 8;

template <class... Args>
void print(std::string& out, const char* format, Args... args) {
  char line[400];
  int size = std::snprintf(line, sizeof line, format, args...);
  out.append(line, static_cast<size_t>(std::max(size, 0)));
}

}  // namespace

void Timeline::look(MembershipCluster& cluster) {
  end_ = cluster.world().now();
  if (rows_.empty()) begin_ = end_;
  rows_.resize(cluster.size());
  if (bool whole = cluster.world().whole(); whole_.empty() || whole_.back().second != whole)
    whole_.emplace_back(end_, whole);
  for (size_t i = 0; i < cluster.size(); ++i) {
    auto& node = cluster[i];
    Row& row = rows_[i];
    row.name = node.host->name;
    Way way = !node.life ? Way::off : node.running() ? Way::runs : Way::paused;
    if (row.ways.empty() || row.ways.back().second != way) row.ways.emplace_back(end_, way);
    size_t size = node.life ? node.life->core.live_members() : 0;
    if (row.sizes.empty() || row.sizes.back().second != size) row.sizes.emplace_back(end_, size);
  }
}

std::string Timeline::svg(const std::string& title) const {
  double span = std::max(1.0, static_cast<double>((end_ - begin_) / 1ms));
  auto x = [&](MonoTime at) { return kLeft + kWidth * static_cast<double>((at - begin_) / 1ms) / span; };
  double bottom = kTop + kRow * static_cast<double>(rows_.size());
  std::string out;
  print(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" ", kLeft + kWidth + 40,
        bottom + 50);
  out +=
      "font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  print(out, "<text x=\"%.0f\" y=\"24\" font-size=\"15\">%s</text>\n", kLeft, title.c_str());
  print(out,
        "<text x=\"%.0f\" y=\"42\" fill=\"#666\">bar: a process (light: paused) &#183; number: the size of "
        "its view when "
        "it changes &#183; shaded: the network is not whole</text>\n",
        kLeft);
  for (size_t i = 0; i < whole_.size(); ++i) {
    if (whole_[i].second) continue;
    double from = x(whole_[i].first), to = x(i + 1 < whole_.size() ? whole_[i + 1].first : end_);
    print(out, "<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" fill=\"#fdeaea\"/>\n", from, kTop,
          to - from, bottom - kTop);
  }
  for (size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    double y = kTop + kRow * static_cast<double>(i) + kRow / 2;
    print(out, "<text x=\"8\" y=\"%.1f\">%s</text>\n", y + 4, row.name.c_str());
    for (size_t k = 0; k < row.ways.size(); ++k) {
      if (row.ways[k].second == Way::off) continue;
      double from = x(row.ways[k].first), to = x(k + 1 < row.ways.size() ? row.ways[k + 1].first : end_);
      print(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" fill=\"%s\"/>\n", from,
            y - kBar / 2, std::max(0.5, to - from), kBar,
            row.ways[k].second == Way::runs ? "#5b9a68" : "#cfe3d3");
    }
    double last = -100;
    for (const auto& [at, size] : row.sizes) {
      if (size == 0) continue;
      print(out, "<path d=\"M%.1f %.1fv%.0f\" stroke=\"#333\"/>\n", x(at), y - kBar / 2, kBar);
      if (x(at) - last < 14) continue;  // no room for another number
      last = x(at);
      print(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"8\">%zu</text>\n", x(at) + 1, y - kBar / 2 - 1,
            size);
    }
  }
  for (int tick = 0; tick <= 10; ++tick) {
    MonoTime at = begin_ + (end_ - begin_) / 10 * tick;
    print(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\" fill=\"#666\">%.1f s</text>\n", x(at),
          bottom + 18, static_cast<double>((at - begin_) / 1ms) / 1000);
  }
  return out + "</svg>\n";
}

}  // namespace kith::sim
