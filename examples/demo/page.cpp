#include "page.h"

#include <boost/json.hpp>

#include "base/html.h"
#include "base/json.h"

namespace kith::demo {
namespace {

// No script, no outside resource: the page works under the strictest content security policy.
constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --ink:#1c2333; --soft:#667089; --paper:#f4f6fb; --card:#fff; --line:#e1e6f0; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e8ecf6; --soft:#97a2bd; --paper:#10141f; --card:#181e2c; --line:#2a3245; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: min(34rem, 100%); background: var(--card); border: 1px solid var(--line); border-radius: 18px;
  overflow: hidden; box-shadow: 0 18px 50px -22px rgb(20 30 60 / .35); }
header { padding: 2rem; color: #fff; background: linear-gradient(120deg, var(--tint), var(--tint2)); }
header p { margin: 0; opacity: .85; }
header strong { display: block; font-size: 3.4rem; line-height: 1.1; letter-spacing: -.02em; }
section { padding: 1.5rem 2rem; border-top: 1px solid var(--line); }
h2 { margin: 0 0 .6rem; font-size: .78rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.bar { display: grid; grid-template-columns: 5rem 1fr 3rem; align-items: center; gap: .75rem; margin: .35rem 0; }
.bar i { display: block; height: .7rem; border-radius: .35rem; background: var(--tint); min-width: .35rem; }
.bar b { text-align: right; font-variant-numeric: tabular-nums; }
nav { display: flex; gap: .75rem; flex-wrap: wrap; }
a.button { flex: 1; text-align: center; text-decoration: none; padding: .8rem 1rem; border-radius: 10px;
  border: 1px solid var(--line); color: var(--ink); font-weight: 600; }
a.first { background: #2f4fd0; border-color: #2f4fd0; color: #fff; }
a.button:focus-visible { outline: 3px solid #8fa4ff; outline-offset: 2px; }
.a { --tint:#2f4fd0; --tint2:#7a4fd6; } .b { --tint:#0f8a6c; --tint2:#2f9fc4; } .c { --tint:#c2571a; --tint2:#c9356b; }
)css";

// Three colours, given to nodes by their names' sums, so that a change of node is seen at a glance.
std::string_view tint(std::string_view node) {
  unsigned sum = 2;
  for (unsigned char c : node) sum += c;
  constexpr std::string_view kTints[] = {"a", "b", "c"};
  return kTints[sum % 3];
}

std::string row(std::string_view name, const std::string& value) {
  return "<dt>" + std::string(name) + "</dt><dd>" + escape_html(value) + "</dd>";
}

std::string bars(const Visit& visit) {
  uint64_t most = 1;
  for (const auto& [node, count] : visit.clicks) most = std::max(most, count);
  std::string out;
  for (const auto& [node, count] : visit.clicks) {
    const std::string width = std::to_string(100 * count / most);
    out += "<div class=\"bar " + std::string(tint(node)) + "\"><span>node " + escape_html(node) +
           "</span><i style=\"width:" + width + "%\"></i><b>" + std::to_string(count) + "</b></div>";
  }
  return out;
}

}  // namespace

std::string render_page(const Visit& visit) {
  const std::string node = visit.node.empty() ? "unknown" : visit.node;
  std::string who = visit.user.empty() ? "<p>Nobody is logged in.</p>"
                                       : "<dl>" + row("User", visit.user) + row("Name", visit.name) +
                                             row("Email", visit.email) + "</dl>";
  std::string way = visit.forwarded_by.empty()
                        ? "straight from the load balancer"
                        : "handed over inside the cluster by node " + escape_html(visit.forwarded_by);
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">"
      "<title>Kith demo: node ";
  out += escape_html(node) + "</title><style>" + std::string(kStyle) + "</style></head><body><main class=\"" +
         std::string(tint(node)) + "\"><header><p>This page came through node</p><strong id=\"node\">" +
         escape_html(node) + "</strong><p id=\"way\">" + way +
         "</p></header><section><h2>Who you are</h2><div id=\"who\">" + who +
         "</div></section><section><h2>Your clicks, by node</h2><div id=\"clicks\">" + bars(visit) +
         "</div></section><section><nav><a class=\"button first\" id=\"again\" href=\"/\">Click again</a>"
         "<a class=\"button\" id=\"logout\" href=\"/logout\">Log out "
         "everywhere</a></nav></section></main></body></html>";
  return out;
}

std::string render_json(const Visit& visit) {
  json::object clicks;
  for (const auto& [node, count] : visit.clicks) clicks[node] = count;
  return json::serialize(json::object{{"user", visit.user},
                                      {"name", visit.name},
                                      {"email", visit.email},
                                      {"node", visit.node},
                                      {"forwarded_by", visit.forwarded_by},
                                      {"clicks", std::move(clicks)}}) +
         "\n";
}

}  // namespace kith::demo
