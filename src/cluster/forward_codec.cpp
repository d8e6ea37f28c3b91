#include "cluster/forward_codec.h"

#include <algorithm>

#include "base/codec.h"
#include "http/chars.h"

namespace kith::cluster {
namespace {

constexpr size_t kMaxText = 64 << 10;

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<uint8_t>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

Error malformed(const char* what) {
  return Error(Code::protocol, std::string("forwarded message: ") + what, Side::peer);
}

void put_endpoint(Writer& out, const Endpoint& endpoint) {
  out.raw(endpoint.address.bytes);
  out.u16(endpoint.port);
}

Endpoint get_endpoint(Reader& in) {
  Endpoint endpoint;
  ByteView address = in.raw(endpoint.address.bytes.size());
  std::copy(address.begin(), address.end(), endpoint.address.bytes.begin());
  endpoint.port = in.u16();
  return endpoint;
}

// A body's framing: none, of known length (then the length), or of unknown length.
enum class Framing : uint8_t { none, length, chunked };

void put_framing(Writer& out, bool chunked, const std::optional<uint64_t>& length) {
  out.u8(static_cast<uint8_t>(chunked ? Framing::chunked : length ? Framing::length : Framing::none));
  if (!chunked && length) out.varint(*length);
}

bool get_framing(Reader& in, bool& chunked, std::optional<uint64_t>& length) {
  uint8_t kind = in.u8();
  chunked = kind == static_cast<uint8_t>(Framing::chunked);
  if (kind == static_cast<uint8_t>(Framing::length)) length = in.varint();
  return kind <= static_cast<uint8_t>(Framing::chunked);
}

void put_headers(Writer& out, const http::Headers& headers) {
  out.varint(headers.size());
  for (const http::Header& header : headers) {
    out.string(header.name);
    out.string(header.value);
  }
}

bool get_headers(Reader& in, http::Headers& headers) {
  uint64_t count = in.varint();
  if (count > kMaxForwardHeaders) return false;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.string(kMaxText);
    std::string value = in.string(kMaxText);
    if (!http::chars::is_token(name) || !is_field_value(value)) return false;
    headers.add(std::move(name), std::move(value));
  }
  return in.ok();
}

}  // namespace

void encode_request(Bytes& out, const http::Origin& origin, const http::RequestHead& head) {
  Writer writer(out);
  put_endpoint(writer, origin.peer);
  put_endpoint(writer, origin.local);
  writer.u8(origin.tls ? 1 : 0);
  writer.string(origin.tls_subject);
  writer.string(head.method);
  writer.string(head.target.text());
  writer.u8(static_cast<uint8_t>(head.minor_version));
  writer.string(head.host);
  writer.string(head.upgrade);
  writer.u8(head.expects_continue ? 1 : 0);
  put_framing(writer, head.chunked, head.content_length);
  put_headers(writer, head.headers);
}

Result<ForwardedRequest> decode_request(ByteView payload) {
  if (payload.size() > kMaxForwardHead) return malformed("the request head is too large");
  Reader in(payload);
  ForwardedRequest out;
  out.origin.peer = get_endpoint(in);
  out.origin.local = get_endpoint(in);
  out.origin.tls = in.u8() != 0;
  out.origin.tls_subject = in.string(kMaxText);
  out.head.method = in.string(64);
  std::string target = in.string(kMaxText);
  out.head.minor_version = in.u8();
  out.head.host = in.string(512);
  out.head.upgrade = in.string(256);
  out.head.expects_continue = in.u8() != 0;
  if (!get_framing(in, out.head.chunked, out.head.content_length)) return malformed("bad framing");
  if (!get_headers(in, out.head.headers) || !in.done()) return malformed("bad headers");
  if (!http::chars::is_token(out.head.method) || out.head.minor_version > 1 || !is_field_value(out.head.host) ||
      !is_field_value(out.head.upgrade) || !is_field_value(out.origin.tls_subject))
    return malformed("bad request line");
  KITH_TRY(out.head.target, http::parse_target(target));
  return out;
}

void encode_response(Bytes& out, const http::ResponseHead& head) {
  Writer writer(out);
  writer.u16(static_cast<uint16_t>(head.status));
  writer.string(head.reason);
  put_framing(writer, head.chunked, head.content_length);
  put_headers(writer, head.headers);
}

Result<http::ResponseHead> decode_response(ByteView payload) {
  if (payload.size() > kMaxForwardHead) return malformed("the response head is too large");
  Reader in(payload);
  http::ResponseHead head;
  head.status = in.u16();
  head.reason = in.string(512);
  bool chunked = false;
  if (!get_framing(in, chunked, head.content_length)) return malformed("bad framing");
  if (!get_headers(in, head.headers) || !in.done()) return malformed("bad headers");
  if (head.status < 100 || head.status > 599 || !is_field_value(head.reason)) return malformed("bad status");
  return head;
}

}  // namespace kith::cluster
