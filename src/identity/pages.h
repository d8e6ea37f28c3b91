// The few pages Kith itself shows (login form, error, logged out). They are one self-contained HTML
// document without script; the one stylesheet is constant, so the Content-Security-Policy can name its
// hash and forbid everything else (CSP Level 3 section 2.3.1).
#pragma once

#include <string>
#include <string_view>

namespace kith::identity {

std::string_view stylesheet();
// The Content-Security-Policy under which the pages are to be served. A form whose answer redirects to
// another site needs forms_stay_here false: browsers hold form-action against redirects too.
std::string content_security_policy(bool forms_stay_here = true);

// A whole document. title is plain text; main_html is trusted markup, whose variable parts went
// through escape_html.
std::string render_page(std::string_view title, std::string_view main_html);

// A heading and a sentence, both plain text; with a link when href is not empty.
std::string message_page(std::string_view title, std::string_view text, std::string_view href = {},
                         std::string_view link_text = {});

struct LoginForm {
  std::string action;  // local path
  std::string state;
  std::string username;  // as typed before
  std::string error;     // plain text, "" = none
};
std::string login_page(const LoginForm& form);

}  // namespace kith::identity
