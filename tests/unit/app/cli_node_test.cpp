// The commands that ask a running node, against answers that stand for one.
#include <gtest/gtest.h>

#include "app/sources.h"
#include "cli_bench.h"

namespace kith::app {
namespace {

ControlAnswer answer(std::string_view body, int status = 200) {
  auto parsed = parse_json(body);
  EXPECT_TRUE(parsed) << body;
  return {status, parsed->as_object()};
}

const std::string kMembers = R"({"node":"a","version":"kith/1","clusters":[{"name":"eu","phase":"ready",
  "degraded":true,"journal":{"whole":false,"failing":"No space left on device"},"leader":{"id":"26a817087e01b1ed","self":true,"epoch":7,"majority":true,"voters":[]},"members":[
    {"name":"a","id":"26a817087e01b1ed","self":true,"state":"ready","reach":"alive","membership":"/ip4/10.0.0.1/tcp/1",
     "data":"/ip4/10.0.0.1/tcp/2","region":"west","zone":"","since":"2026-11-21T12:00:00.000Z","rtt_us":null,
     "version":"kith/1"},
    {"name":"b\u001b[31m","id":"2698922a29960b14","self":false,"state":"ready","reach":"suspect",
     "membership":"/ip4/10.0.0.2/tcp/1","data":"/ip4/10.0.0.2/tcp/2","region":"","zone":"z","since":"then",
     "rtt_us":12057,"key_epoch":"5f0c2b9e11d4a873","version":"kith/1"}],
  "not_members":[
    {"name":"c","id":"7815446540000000","membership":"/ip4/10.0.0.3/tcp/1","why":"crashed","since":"then",
     "dial":{"why":"refused","reason":"","detail":"","tries":12,"last":"now"}},
    {"name":"","id":"","membership":"/ip4/10.0.0.4/tcp/1","why":"rejected","since":"then",
     "dial":{"why":"rejected","reason":"wrong_cluster","detail":"another cluster","tries":5,"last":"now"}}],
  "refusals":[{"remote":"10.0.0.9","reason":"unknown_key","explanation":"no key in common","detail":"","by_peer":false,
     "count":7,"since":"then","last":"now"}],
  "counters":{}}]})";

TEST(NodeCommands, members_shows_who_is_there_who_is_not_and_why) {
  Bench bench;
  bench.answers = {answer(kMembers)};
  Ran ran = bench.run({"members", "--socket", "/run/a.sock"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(bench.asked, std::vector<std::string>{"GET /v1/members at /run/a.sock"});
  EXPECT_NE(ran.out.find("cluster eu: 2 members, ready (degraded); its journal cannot be written: No space "
                         "left on device\n"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("a *"), std::string::npos);
  EXPECT_NE(ran.out.find("ready, leads "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("suspect"), std::string::npos) << "how it is reached says more than its own word";
  EXPECT_NE(ran.out.find("12.05ms  5f0c2b9e  kith/1\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("crashed; dialled since: 12x refused\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("5x rejected: wrong_cluster: another cluster\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("10.0.0.9  7      now   unknown_key: no key in common\n"), std::string::npos)
      << ran.out;
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos) << "the name of another node steers the terminal";
}

TEST(NodeCommands, members_in_json_is_what_the_node_answered) {
  Bench bench;
  bench.answers = {answer(kMembers)};
  Ran ran = bench.run({"members", "--socket", "/run/a.sock", "-o", "json"});
  EXPECT_EQ(ran.status, 0);
  auto shown = parse_json(ran.out);
  ASSERT_TRUE(shown) << ran.out;
  EXPECT_EQ(*shown, *parse_json(kMembers));
}

const std::string kSessions = R"({"sessions":[
  {"ref":"0123456789abcdef","users":[{"connector":"corp","user":"alice\u001b[31m"},{"connector":"local","user":"al"}],
   "created":"then","last_seen":"now","expires":"later"}],"matched":1,"live":7})";

TEST(NodeCommands, sessions_list_shows_whose_they_are) {
  Bench bench;
  bench.answers = {answer(kSessions)};
  Ran ran = bench.run(
      {"sessions", "list", "--user", "al&ice", "--connector", "corp", "--limit", "5", "--socket", "/a"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(bench.asked, std::vector<std::string>{
                             "GET /v1/sessions?everybody=false&user=al%26ice&connector=corp&limit=5 at /a"});
  EXPECT_NE(ran.out.find("0123456789abcdef  al  "), std::string::npos) << ran.out;
  EXPECT_EQ(ran.err, "1 of 7 sessions\n");
  EXPECT_EQ(ran.out.find('\x1b'), std::string::npos);
}

TEST(NodeCommands, sessions_show_says_why_one_has_ended) {
  Bench bench;
  bench.answers = {answer(R"({"ref":"0123456789abcdef","state":"ended","reason":"logout"})"),
                   answer(R"({"error":"no session has this reference here"})", 404)};
  Ran ran = bench.run({"sessions", "show", "0123456789abcdef", "--socket", "/a"});
  EXPECT_EQ(ran.out, "ref: 0123456789abcdef\nstate: ended\nreason: logout\n");
  ran = bench.run({"sessions", "show", "../x", "--socket", "/a"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err, "kith: no session has this reference here\n");
  EXPECT_EQ(bench.asked.back(), "GET /v1/sessions/..%2Fx at /a");
}

TEST(NodeCommands, sessions_revoke_takes_one_way_to_say_which_and_tells_who_has_not_confirmed) {
  Bench bench;
  for (const std::vector<std::string>& none : {std::vector<std::string>{},
                                               {"--connector", "corp"},
                                               {"abc", "--user", "al"},
                                               {"--user", "al", "--everybody"},
                                               {"abc", "--connector", "corp"}}) {
    std::vector<std::string> arguments{"sessions", "revoke", "--socket", "/a"};
    arguments.insert(arguments.end(), none.begin(), none.end());
    EXPECT_EQ(bench.run(arguments).status, 2);
  }
  EXPECT_TRUE(bench.asked.empty());
  bench.answers = {answer(R"({"ended":3,"users":[],"confirmed":true,"waiting_for":[]})"),
                   answer(R"({"ended":1,"users":[],"confirmed":false,"waiting_for":["b","c"]})")};
  Ran ran = bench.run({"sessions", "revoke", "--user", "al", "--socket", "/a"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "ended: 3\n");
  EXPECT_EQ(ran.err, "");
  ran = bench.run({"sessions", "revoke", "0123456789abcdef", "--socket", "/a"});
  EXPECT_EQ(ran.status, 3);
  EXPECT_EQ(ran.err, "it stands, but not every member has confirmed it yet: b, c\n");
  EXPECT_EQ(bench.asked, (std::vector<std::string>{"DELETE /v1/sessions?everybody=false&user=al at /a",
                                                   "DELETE /v1/sessions/0123456789abcdef at /a"}));
}

TEST(NodeCommands, without_a_running_node_it_says_so_with_the_path) {
  Bench bench = with_file();
  Ran ran = bench.run({"members", "-c", "/k.yaml"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "kith: no node is running there: nobody serves /k.sock\n");
}

TEST(NodeCommands, the_socket_is_found_through_the_configuration_whatever_else_is_wrong_with_it) {
  Bench bench;
  bench.world.files.content["/srv/k.yaml"] =
      "control: {socket: door.sock}\nversion: <a-secret-that-only-the-node-may-read>\n";
  bench.answers = {answer(R"({"status":"up"})")};
  EXPECT_EQ(bench.run({"health", "-c", "/srv/k.yaml"}).status, 0);
  EXPECT_EQ(bench.asked, std::vector<std::string>{"GET /v1/health at /srv/door.sock"});
}

TEST(NodeCommands, a_node_that_has_no_door_is_not_asked) {
  Bench bench = with_file("control: {disabled: true}\n");
  Ran ran = bench.run({"members", "-c", "/k.yaml"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("control.disabled is set"), std::string::npos);
  EXPECT_NE(bench.run({"members", "-c", "-"}).err.find("give --socket"), std::string::npos);
  EXPECT_NE(bench.run({"members", "-c", "/none.yaml"}).err.find("/none.yaml"), std::string::npos);
  EXPECT_TRUE(bench.asked.empty());
}

TEST(NodeCommands, the_customary_socket_is_beside_the_file_but_not_in_etc) {
  EXPECT_EQ(default_socket("/etc/kith/kith.yaml"), "/run/kith/kith.sock");
  EXPECT_EQ(default_socket("/home/me/edge.v2.yaml"), "/home/me/edge.v2.sock");
  EXPECT_EQ(default_socket("a.yaml"), "./a.sock");
  EXPECT_EQ(default_socket("plain"), "./plain.sock");
  EXPECT_EQ(default_socket("-"), "");
}

TEST(NodeCommands, health_is_status_0_only_when_the_node_is_up) {
  Bench bench;
  bench.answers = {answer(R"({"status":"up"})"), answer(R"({"status":"syncing"})")};
  Ran up = bench.run({"health", "--socket", "/s"});
  EXPECT_EQ(up.status, 0);
  EXPECT_EQ(up.out, "up\n");
  Ran syncing = bench.run({"health", "--socket", "/s"});
  EXPECT_EQ(syncing.status, 1);
  EXPECT_EQ(syncing.out, "syncing\n");
}

TEST(NodeCommands, leave_waits_until_the_node_is_gone) {
  Bench bench;
  bench.answers = {answer(R"({"status":"leaving"})", 202), answer(R"({"status":"draining"})")};
  Ran ran = bench.run({"leave", "--socket", "/s"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "left\n");
  EXPECT_EQ(bench.asked[0], "POST /v1/leave at /s");
  EXPECT_EQ(bench.asked.size(), 3U);
}

TEST(NodeCommands, forget_tells_what_the_node_says_of_it) {
  Bench bench;
  bench.answers = {answer(R"({"id":"7815446540000000"})"), answer(R"({"error":"it is a member"})", 409)};
  EXPECT_EQ(bench.run({"forget", "c", "--socket", "/s"}).out, "forgotten: 7815446540000000\n");
  EXPECT_EQ(bench.asked[0], "DELETE /v1/departed/c at /s");
  Ran refused = bench.run({"forget", "b", "--socket", "/s"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.err, "kith: it is a member\n");
  EXPECT_EQ(bench.run({"forget", "--socket", "/s"}).status, 2);
}

}  // namespace
}  // namespace kith::app
