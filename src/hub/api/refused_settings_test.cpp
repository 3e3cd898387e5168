// What the API tells of settings that a device has refused, and of those that came after them.
#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using protocol::Phase;
using protocol::Section;

class RefusedSettings : public ChangeProgressTest {
 protected:
  RefusedSettings() {
    enrol(1, "bear");
    enrol(2, "duck");
    bear.emplace(*this, uuid(1), std::vector<std::string>{});
    duck.emplace(*this, uuid(2), std::vector<std::string>{});
    settle();
    refused = write(R"({"values":{"hotword.threshold":0.9}})");
    bear->answer(bear->updates(Section::settings).at(0), Phase::refused, {{"hotword.threshold", "too much"}});
    duck->apply_settings();
  }
  ~RefusedSettings() override {
    bear.reset();
    duck.reset();
  }
  Answered explain(const std::string& key) {
    return get("/api/v1/settings/explain?device=" + uuid(1) + "&key=" + key);
  }

  std::optional<LinkedDevice> bear, duck;
  std::int64_t refused = 0;
};

TEST_F(RefusedSettings, AreToldWhereverTheyAreAskedFor) {
  EXPECT_EQ(progress(refused).at("/refused"), Json(1));
  EXPECT_EQ(progress(refused).at("/applied"), Json(1));
  const auto device = get("/api/v1/devices/" + uuid(1));
  EXPECT_EQ(device.at("/sync/status"), Json("refused"));
  EXPECT_EQ(device.at("/sync/errors"), *parse_json(R"([{"key":"hotword.threshold","message":"too much"}])"));
  EXPECT_EQ(get("/api/v1/devices?sync=refused").at("/items").as_array().size(), 1u);
  EXPECT_EQ(explain("hotword.threshold").at("/sync"), Json("refused"));
  EXPECT_EQ(explain("hotword.threshold").at("/why"), Json("too much"));
  EXPECT_EQ(explain("hotword.models").at("/sync"), Json("in_sync")) << "it is no matter of that";
}

TEST_F(RefusedSettings, ALaterChangeIsAppliedThere) {
  const auto later = write(R"({"values":{"hotword.models":["Tars.tflite"]}})");
  EXPECT_EQ(progress(later).at("/pending"), Json(2));
  bear->apply_settings();
  duck->apply_settings();
  EXPECT_EQ(progress(later).at("/applied"), Json(2));
  EXPECT_EQ(progress(refused).at("/refused"), Json(1));
  EXPECT_EQ(explain("hotword.models").at("/sync"), Json("in_sync"));
  bear->leave();
  EXPECT_EQ(progress(later).at("/applied"), Json(2)) << "it has taken it along";
  EXPECT_EQ(progress(refused).at("/refused"), Json(1)) << "and that it has not";
}

TEST_F(RefusedSettings, AreJudgedByTheirKeyWhereAnotherLayerIsTakenAway) {
  const auto own = write(R"({"values":{"hotword.threshold":0.6},"target":{"device":")" + uuid(1) + R"("}})");
  bear->apply_settings();
  EXPECT_EQ(progress(own).at("/applied"), Json(1));
  const auto bare =
      write(R"({"values":{"hotword.threshold":null},"target":{"device":")" + uuid(1) + R"("}})");
  bear->answer(bear->updates(Section::settings).at(0), Phase::refused, {{"hotword.threshold", "too much"}});
  EXPECT_EQ(progress(bare).at("/refused"), Json(1)) << "what was below is refused";
}

}  // namespace
}  // namespace starling::hub
