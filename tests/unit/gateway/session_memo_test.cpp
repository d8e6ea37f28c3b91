#include "gateway/session_memo.h"

#include <gtest/gtest.h>

#include "gateway/session_body.h"

namespace kith::gateway {
namespace {

std::shared_ptr<KnownSession> session() {
  SessionCookie cookie;
  cookie.id.bytes.fill(7);
  return std::make_shared<KnownSession>(cookie, "reference");
}

std::shared_ptr<const cluster::SessionRecord> record_of(std::string_view subject) {
  identity::Identity identity;
  identity.subject = subject;
  cluster::SessionRecord record;
  record.body = encode_session_body({identity}).value();
  return std::make_shared<const cluster::SessionRecord>(std::move(record));
}

TEST(SessionMemo, FindsACookieByItsWholeTextOnly) {
  SessionMemo memo;
  auto known = session();
  EXPECT_FALSE(memo.find("1.abc", 1));
  memo.note("1.abc", known);
  EXPECT_EQ(memo.find("1.abc", 1), known);
  for (std::string_view other : {"", "1.ab", "1.abcd", "1.abd", "1.ABC"}) EXPECT_FALSE(memo.find(other, 1)) << other;
}

TEST(SessionMemo, WithOtherKeysNothingIsKnown) {
  SessionMemo memo;
  EXPECT_FALSE(memo.find("1.abc", 1));
  memo.note("1.abc", session());
  EXPECT_FALSE(memo.find("1.abc", 2));
  EXPECT_FALSE(memo.find("1.abc", 1));  // nor after the former ones come back
}

TEST(SessionMemo, IsBounded) {
  SessionMemo memo;
  const size_t many = 4 * SessionMemo::kSlots;
  for (size_t i = 0; i < many; ++i) {
    EXPECT_FALSE(memo.find(std::to_string(i), 1));
    memo.note(std::to_string(i), session());
    EXPECT_TRUE(memo.find(std::to_string(i), 1));  // the later one has the place
  }
  size_t found = 0;
  for (size_t i = 0; i < many; ++i) found += memo.find(std::to_string(i), 1) ? 1 : 0;
  EXPECT_LE(found, SessionMemo::kSlots);
}

TEST(KnownSession, DecodesARecordOnceAndAnotherAnew) {
  auto known = session();
  auto ada = record_of("ada");
  auto first = known->identities(ada);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->front().subject, "ada");
  EXPECT_EQ(known->identities(ada).value(), *first);

  auto same = record_of("ada");
  EXPECT_NE(known->identities(same).value(), *first);
  auto grace = record_of("grace");
  EXPECT_EQ(known->identities(grace).value()->front().subject, "grace");
  EXPECT_EQ((*first)->front().subject, "ada");  // a request under way keeps what it began with
}

TEST(KnownSession, ARecordThatTakesTheAddressOfAFormerOneIsAnother) {
  auto known = session();
  for (int i = 0; i < 100; ++i) {
    auto record = record_of(std::to_string(i));
    EXPECT_EQ(known->identities(record).value()->front().subject, std::to_string(i));
  }
}

TEST(KnownSession, KeepsNoLongBodyAndNoneAfterTheEnd) {
  auto known = session();
  auto large = record_of(std::string(KnownSession::kMaxKept, 'x'));
  auto first = known->identities(large);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->use_count(), 1);

  auto kept = known->identities(record_of("ada"));
  EXPECT_EQ(kept->use_count(), 2);
  known->forget_identities();
  EXPECT_EQ(kept->use_count(), 1);
}

TEST(KnownSession, ARecordThatCannotBeReadIsAnError) {
  auto known = session();
  cluster::SessionRecord broken;
  broken.body = {0xff};
  auto record = std::make_shared<const cluster::SessionRecord>(std::move(broken));
  EXPECT_FALSE(known->identities(record));
  EXPECT_FALSE(known->identities(record));
  EXPECT_TRUE(known->identities(record_of("ada")));
}

}  // namespace
}  // namespace kith::gateway
