// Everything an identity provider, or somebody in its place, can send us as text: tokens, key sets,
// metadata, token and userinfo answers. The first byte chooses the reader.
//
// Beyond not crashing: nobody can make a signature by chance, so no input is ever a verified token.
#include <cstdint>
#include <string_view>

#include "identity/jose/token.h"
#include "identity/oidc/id_token.h"
#include "identity/oidc/metadata.h"
#include "identity/oidc/token_response.h"

using namespace kith;
using namespace kith::identity;

namespace {

// RFC 7515 appendix A.3 and RFC 8037 appendix A.4; the corpus holds neither of their tokens.
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},)"
    R"({"kty":"OKP","kid":"o","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})";

void read_token(std::string_view text) {
  static const jose::KeySet keys = *jose::KeySet::parse(kKeys);
  Result<jose::Token> token = jose::verify_token(text, keys, jose::AlgorithmSet::all());
  KITH_CHECK(!token);
}

void read_claims(std::string_view text) {
  Result<json::value> value = parse_json(text);
  if (!value || !value->is_object()) return;
  jose::Token token;
  token.claims = value->get_object();
  (void)oidc::check_id_token(token,
                             {"https://idp.example", "me", "no", "at", from_unix_ms(1'700'000'000'000)});
  (void)oidc::to_claims(token.claims, token.claims);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view text = as_text(ByteView(data, size).subspan(1));
  switch (data[0]) {
    case 't': read_token(text); break;
    case 'k': (void)jose::KeySet::parse(text); break;
    case 'm': (void)oidc::parse_metadata(text, "https://idp.example/.well-known/openid-configuration"); break;
    case 'r': (void)oidc::read_token_response(200, "application/json", text); break;
    case 'u': (void)oidc::read_userinfo(200, "application/json", text, "ann"); break;
    case 'c': read_claims(text); break;
    default: break;
  }
  return 0;
}
