#include "cli/change_text.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include <cstdlib>

namespace starling::cli {
namespace {

TEST(ChangeText, EveryKindOfEditReadsAsASentence) {
  const struct {
    std::string_view edit, text;
  } cases[] = {
      {R"({"kind":"setting","id":"fleet hotword.threshold","before":0.5,"after":0.6})",
       "hotword.threshold 0.5 → 0.6 on the fleet"},
      {R"({"kind":"setting","id":"group:room=nursery hotword.threshold","before":null,"after":0.6})",
       "hotword.threshold = 0.6 on group room=nursery"},
      {R"({"kind":"setting","id":"persona:Mr T hotword.phrase","before":"hey","after":null})",
       "hotword.phrase unset (was hey) on persona Mr T"},
      {R"({"kind":"setting","id":"policy/group:a persona.active","before":null,"after":"TARS"})",
       "persona none → TARS on policy of group a"},
      {R"({"kind":"setting","id":"policy persona.active","before":"TARS","after":null})",
       "persona TARS → none on the fleet's policy"},
      {R"({"kind":"device","id":"x","before":null,"after":{"name":"bear-1"}})", "device bear-1 registered"},
      {R"({"kind":"device","id":"x","before":{"name":"bear-1"},"after":null})", "device bear-1 removed"},
      {R"({"kind":"device","id":"x","before":{"name":"b","labels":{"room":"den"}},"after":{"name":"b","labels":{"room":"hall"}}})",
       "device b: labels [room=den] → [room=hall]"},
      {R"({"kind":"device","id":"x","before":{"name":"a"},"after":{"name":"b"}})", "device b: name a → b"},
      {R"({"kind":"persona","id":"TARS","before":null,"after":{}})", "persona TARS created"},
      {R"({"kind":"group","id":"lab","before":{},"after":null})", "group lab deleted"},
      {R"({"kind":"key","id":"7f3","before":{"name":"alice"},"after":null})", "key alice revoked"},
      {R"({"kind":"action","id":"1","before":null,"after":{"name":"identify"}})",
       "action identify asked for"},
      {R"({"kind":"action","id":"1","after":{"name":"module","parameters":{"module":"recorder","command":"stop"}}})",
       "action module (module=recorder, command=stop) asked for"},
      {R"({"kind":"component","id":"hotword","before":{},"after":{}})", "component hotword changed"},
      {R"({"kind":"thing","id":"t","before":null,"after":1})", "thing t created"},
      {R"({})", "  created"},
  };
  DeviceNames names;
  for (const auto& c : cases) {
    EXPECT_EQ(describe_edit(boost::json::parse(c.edit).get_object(), names), c.text);
  }
}

TEST(ChangeText, LinesAreSafeAndShort) {
  setenv("TZ", "UTC", 1);
  tzset();
  JsonArray edits;
  for (int i = 0; i < 5; ++i) {
    edits.push_back(
        JsonObject{{"kind", "persona"}, {"id", "p" + std::to_string(i)}, {"before", nullptr}, {"after", 1}});
  }
  const JsonObject change{{"revision", 412},
                          {"at", "2026-11-20T22:33:05.000Z"},
                          {"principal_name", "al\x1b[2Jice"},
                          {"action", "persona.import"},
                          {"reason", "new\ntoys"},
                          {"edits", edits}};
  DeviceNames names;
  EXPECT_EQ(
      change_line(change, names, {}),
      "412  2026-11-20 22:33:05  al\\x1b[2Jice: persona p0 created; persona p1 created; persona p2 created; "
      "and 2 more (persona.import) (new\\ntoys)\n");
}

}  // namespace
}  // namespace starling::cli
