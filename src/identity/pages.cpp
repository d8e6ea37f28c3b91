#include "identity/pages.h"

#include "base/bytes.h"
#include "base/html.h"
#include "crypto/hash.h"

namespace kith::identity {
namespace {

constexpr std::string_view kStylesheet = R"css(
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --edge: #c3cad4; --back: #eef1f5; --act: #1f5fbf; --bad: #a3161f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebf0; --paper: #1d232d; --edge: #4a5362; --back: #12161c; --act: #7db0ff; --bad: #ff9a9f; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--back); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
main { width: min(24rem, 100vw - 2rem); margin: 1rem; padding: 2rem; background: var(--paper); border: 1px solid var(--edge);
  border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.2; }
p { margin: 0 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input { width: 100%; padding: .6rem; font: inherit; color: inherit; background: var(--back); border: 1px solid var(--edge);
  border-radius: .4rem; }
button { width: 100%; margin-top: 1.5rem; padding: .7rem; font: inherit; font-weight: 600; color: var(--paper);
  background: var(--act); border: 0; border-radius: .4rem; cursor: pointer; }
a { color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.error { color: var(--bad); font-weight: 600; }
)css";

}  // namespace

std::string_view stylesheet() { return kStylesheet; }

std::string content_security_policy(bool forms_stay_here) {
  return "default-src 'none'; style-src 'sha256-" + base64(crypto::sha256(as_bytes(kStylesheet))) +
         "'; base-uri 'none'; frame-ancestors 'none'" + (forms_stay_here ? "; form-action 'self'" : "");
}

std::string render_page(std::string_view title, std::string_view main_html) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  html += escape_html(title);
  html += "</title>\n<style>";
  html += kStylesheet;
  html += "</style>\n</head>\n<body>\n<main>\n<h1>";
  html += escape_html(title);
  html += "</h1>\n";
  html += main_html;
  html += "</main>\n</body>\n</html>\n";
  return html;
}

std::string message_page(std::string_view title, std::string_view text, std::string_view href,
                         std::string_view link_text) {
  std::string html = "<p>" + escape_html(text) + "</p>\n";
  if (!href.empty()) {
    html += "<p><a href=\"" + escape_html(href) + "\">" + escape_html(link_text) + "</a></p>\n";
  }
  return render_page(title, html);
}

std::string login_page(const LoginForm& form) {
  std::string html;
  if (!form.error.empty()) {
    html += "<p class=\"error\" id=\"error\" role=\"alert\">" + escape_html(form.error) + "</p>\n";
  }
  const std::string described = form.error.empty() ? "" : " aria-describedby=\"error\"";
  html += "<form method=\"post\" action=\"" + escape_html(form.action) + "\">\n";
  html += "<input type=\"hidden\" name=\"state\" value=\"" + escape_html(form.state) + "\">\n";
  html +=
      "<label for=\"username\">Username</label>\n<input id=\"username\" name=\"username\" value=\"" +
      escape_html(form.username) +
      "\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"256\" required "
      "autofocus" +
      described + ">\n";
  html +=
      "<label for=\"password\">Password</label>\n<input id=\"password\" name=\"password\" type=\"password\" "
      "autocomplete=\"current-password\" maxlength=\"1024\" required" +
      described + ">\n";
  html += "<button type=\"submit\">Sign in</button>\n</form>\n";
  return render_page("Sign in", html);
}

}  // namespace kith::identity
