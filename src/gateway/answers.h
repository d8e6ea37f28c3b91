// What we answer ourselves: errors (problem details, RFC 9457, or a small page for a browser), pages,
// redirects. Texts are constants of ours; nothing of a request is ever repeated. All of it is served
// with no-store, nosniff, no framing, no script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/context.h"
#include "identity/pages.h"

namespace kith::gateway {

bool wants_html(const http::RequestHead& request);
// A navigation of a browser, which can follow a login; not fetch, not an API client.
bool is_navigation(const http::RequestHead& request);

using Cookies = std::vector<std::string>;  // values of Set-Cookie

runtime::Task<void> answer_error(RequestContext& context, int status, std::string_view detail,
                                 http::Headers extra = {});
// After forwarding failed: whether the other node may have acted on the request, and it is not safe to do
// it again, here or by the client; then that is the answer (504 when it is late, 502 when it is lost).
bool is_out_of_hand(const RequestContext& context, const Error& failure);
runtime::Task<void> answer_out_of_hand(RequestContext& context, const Error& failure,
                                       std::string_view detail);
// policy: the Content-Security-Policy.
runtime::Task<void> answer_page(RequestContext& context, int status, std::string html, Cookies cookies = {},
                                std::string policy = identity::content_security_policy());
runtime::Task<void> answer_redirect(RequestContext& context, int status, std::string location,
                                    Cookies cookies = {});

}  // namespace kith::gateway
