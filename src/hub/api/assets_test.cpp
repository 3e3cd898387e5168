#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "hub/api/api_fixture.hpp"
#include "hub/assets/asset_collector.hpp"

namespace starling::hub {
namespace {

using http::Method;
using testing::HasSubstr;

class AssetsApi : public ApiTest {
 protected:
  AssetsApi() { start_api(); }
  ~AssetsApi() override { api->stop(); }

  void start_api() {
    api = std::make_unique<Api>(context->get_executor(), *hub, executor, clock, Logger(), Api::Options{},
                                nullptr, &files);
    api->set_ready(true);
  }

  // As a connection does it: the body goes to the sink before the request is served.
  Answered upload(const std::string& target, const std::string& content, const std::string& key) {
    http::Request request;
    request.method = Method::put;
    request.target = target;
    const auto mark = target.find('?');
    request.path = *http::percent_decode(target.substr(0, mark));
    if (mark != std::string::npos) request.query = *http::Query::parse(target.substr(mark + 1));
    request.headers.add("Authorization", "Bearer " + key);
    request.headers.add("Content-Length", std::to_string(content.size()));
    auto received = api->receive(request);
    if (auto* refusal = std::get_if<http::Response>(&received)) return shown(*refusal);
    request.sink = std::get<std::shared_ptr<http::BodySink>>(received);
    if (request.sink && !content.empty()) {
      if (auto taken = request.sink->write(content); !taken) {
        return shown(http::problem_response(taken.error()));
      }
    }
    http::Response response;
    bool answered = false;
    const auto serve = [&]() -> asio::awaitable<void> {
      auto serving = api->serve(request);
      response = co_await std::move(serving);
      answered = true;
    };
    asio::co_spawn(*context, serve, asio::detached);
    context->restart();
    while (!answered && context->run_one() > 0) {
    }
    return shown(response);
  }
  Answered add(const std::string& name, const std::string& content) {
    return upload("/api/v1/assets/" + name, content, admin_key);
  }
  std::size_t kept_files() const {
    std::size_t count = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "assets/default", none))
      count += entry.is_regular_file() ? 1 : 0;
    return count;
  }
  void collect() {
    AssetCollector collector(hub->changes(), files, clock, Logger());
    bool done = false;
    collector.tick();
    settle();
    // After what the collector has asked of the worker.
    files.collect("nobody", {}, [&](std::size_t) { done = true; });
    const auto work = asio::make_work_guard(*context);
    context->restart();
    while (!done)
      context->run_one();
  }

  TemporaryFolder folder;
  AssetFiles files{folder.path(), executor};

 private:
  static Answered shown(http::Response response) {
    Answered result;
    result.status = response.status;
    if (const auto json = parse_json(response.body)) result.body = *json;
    result.response = std::move(response);
    return result;
  }
};

TEST_F(AssetsApi, AFileIsUploadedListedAndRead) {
  const std::string hash = sha256("moo").hex();
  const Answered added = upload("/api/v1/assets/moo.wav?reason=farm&sha256=" + hash, "moo", admin_key);
  ASSERT_EQ(added.status, 201) << added.response.body;
  EXPECT_EQ(added.text("/asset/sha256"), hash);
  EXPECT_EQ(added.at("/asset/size"), Json(3));
  const Answered list = get("/api/v1/assets");
  EXPECT_EQ(list.text("/items/0/name"), "moo.wav");
  EXPECT_EQ(list.at("/items/0/used_by"), Json(JsonArray{}));
  const Answered change = get("/api/v1/changes?kind=asset&newest_first=true");
  EXPECT_EQ(change.text("/items/0/action"), "asset.put");
  EXPECT_EQ(change.text("/items/0/reason"), "farm");
  EXPECT_EQ(change.text("/items/0/edits/0/after/sha256"), hash);
  const Answered part =
      ask(Method::get, "/api/v1/assets/moo.wav/content", "", {admin_key, {{"Range", "bytes=1-"}}});
  EXPECT_EQ(part.status, 206);
  ASSERT_TRUE(part.response.file);
  EXPECT_EQ(part.response.file->offset, 1u);
  EXPECT_EQ(part.response.file->length, 2u);
}

TEST_F(AssetsApi, TheSameContentIsOneFileAndNoChange) {
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  const Answered again = add("moo.wav", "moo");
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.at("/revision").is_null());
  EXPECT_EQ(add("cow.wav", "moo").status, 201);
  EXPECT_EQ(kept_files(), 1u);
}

TEST_F(AssetsApi, WhatIsNotWholeIsNotKept) {
  const std::string other = sha256("something else").hex();
  EXPECT_EQ(upload("/api/v1/assets/moo.wav?sha256=" + other, "moo", admin_key).status, 422);
  EXPECT_EQ(add("moo.wav", "").status, 422);
  EXPECT_EQ(upload("/api/v1/assets/moo.wav?sha256=12", "moo", admin_key).status, 422);
  EXPECT_EQ(get("/api/v1/assets/moo.wav").status, 404);
  EXPECT_EQ(kept_files(), 0u);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "assets/default/uploads"));
}

TEST_F(AssetsApi, NamesAreNoPaths) {
  for (const char* name : {"a%2Fb", ".hidden", "a%01b", "%FF"})
    EXPECT_EQ(add(name, "x").status, 422) << name;
  EXPECT_EQ(add("R%C3%BCbe%20%26.wav", "x").status, 201);
}

TEST_F(AssetsApi, WhatIsNamedStays) {
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  ASSERT_EQ(add("yes.raw", "yes").status, 201);
  put("/api/v1/personas/Cow", R"({"assets":["moo.wav"]})");
  put("/api/v1/settings", R"({"values":{"acknowledgement.audio_files":["yes.raw"]}})");
  const Answered cow = del("/api/v1/assets/moo.wav");
  EXPECT_EQ(cow.status, 409);
  EXPECT_THAT(cow.text("/detail"), HasSubstr("assets of persona:Cow"));
  EXPECT_THAT(del("/api/v1/assets/yes.raw").text("/detail"),
              HasSubstr("acknowledgement.audio_files of fleet"));
  EXPECT_EQ(get("/api/v1/assets/yes.raw").text("/used_by/0/layer"), "fleet");
  EXPECT_EQ(put("/api/v1/personas/Cow", "{}").status, 200);
  EXPECT_EQ(del("/api/v1/assets/moo.wav").status, 200);
  EXPECT_EQ(del("/api/v1/assets/moo.wav").status, 404);
}

TEST_F(AssetsApi, ANameThatNoAssetHasIsSaid) {
  const Answered persona = put("/api/v1/personas/Cow", R"({"pi_config":{"HOTWORD_MODELS":["moo.tflite"]}})");
  EXPECT_EQ(persona.at("/missing_assets"), Json(JsonArray{"moo.tflite"}));
  ASSERT_EQ(add("moo.tflite", "moo").status, 201);
  const Answered values = put("/api/v1/settings", R"({"values":{"HOTWORD_MODELS":["moo.tflite"]}})");
  EXPECT_FALSE(values.body.get_object().contains("missing_assets"));
  EXPECT_EQ(put("/api/v1/personas/Cow", R"({"assets":"moo"})").status, 422);
  EXPECT_EQ(put("/api/v1/personas/Cow", R"({"assets":["a/b"]})").text("/pointer"), "/assets/0");
}

TEST_F(AssetsApi, ADocumentSaysWhatItsFilesAre) {
  const std::string bear = enrol(1, "bear");
  put("/api/v1/personas/Cow",
      R"({"assets":["moo.wav","none.wav"],"pi_config":{"HOTWORD_MODELS":["cow.tflite"]}})");
  post("/api/v1/personas/Cow/switch", "");
  const std::string document = "/api/v1/devices/" + bear + "/document";
  EXPECT_FALSE(get(document).at("/sections/settings").get_object().contains("assets"));
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  ASSERT_EQ(add("cow.tflite", "cow").status, 201);
  const Json assets = get(document).at("/sections/settings/assets");
  EXPECT_EQ(assets.get_object().size(), 2u);
  EXPECT_EQ(assets.at_pointer("/moo.wav/sha256"), Json(sha256("moo").hex()));
  EXPECT_EQ(assets.at_pointer("/cow.tflite/size"), Json(3));
  ASSERT_EQ(add("moo.wav", "moooo").status, 200);
  EXPECT_EQ(get(document).at("/sections/settings/assets/moo.wav/size"), Json(5));
}

TEST_F(AssetsApi, DevicesGetFilesByTheirHash) {
  const std::string bear = enrol(1, "bear");
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  const std::string path = "/api/v1/asset-files/" + sha256("moo").hex();
  EXPECT_EQ(get_as(token_of(bear), path).status, 200);
  EXPECT_EQ(get_as(token_of(bear), "/api/v1/asset-files/" + sha256("x").hex()).status, 404);
  EXPECT_EQ(get_as(token_of(bear), "/api/v1/asset-files/..").status, 422);
  EXPECT_EQ(get_as("", path).status, 401);
  const std::string viewer = make_key_of(R"({"name":"v","role":"viewer"})");
  EXPECT_EQ(upload("/api/v1/assets/moo.wav", "x", viewer).status, 403);
}

TEST_F(AssetsApi, AFileStaysForAMonthAfterItsNameHasGone) {
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  const std::int64_t then = hub->changes().published("default")->revision();
  ASSERT_EQ(add("moo.wav", "moooo").status, 200);
  ASSERT_EQ(del("/api/v1/assets/moo.wav").status, 200);
  clock.advance(std::chrono::hours(29 * 24));
  collect();
  EXPECT_EQ(kept_files(), 2u);
  const std::string back = R"({"revision":)" + std::to_string(then) + "}";
  ASSERT_EQ(post("/api/v1/settings/rollback", back).status, 200);
  EXPECT_EQ(get("/api/v1/assets/moo.wav").at("/size"), Json(3));
  ASSERT_EQ(del("/api/v1/assets/moo.wav").status, 200);
  clock.advance(std::chrono::hours(31 * 24));
  collect();
  EXPECT_EQ(kept_files(), 0u);
  const Answered late = post("/api/v1/settings/rollback", back);
  EXPECT_EQ(late.status, 409);
  EXPECT_THAT(late.text("/detail"), HasSubstr("moo.wav"));
  EXPECT_EQ(get("/api/v1/assets/moo.wav").status, 404);
}

TEST_F(AssetsApi, WhatIsNamedNowIsNeverCollected) {
  ASSERT_EQ(add("moo.wav", "moo").status, 201);
  ASSERT_TRUE(write_file_durably(folder.path() / "assets/default" / sha256("lost").hex(), "lost"));
  clock.advance(std::chrono::hours(100 * 24));
  const auto hold = files.hold("default", sha256("lost"));
  collect();
  EXPECT_EQ(kept_files(), 2u);
}

TEST_F(AssetsApi, WhatAHubThatDiedHasLeftIsThrownAway) {
  ASSERT_TRUE(make_folders(folder.path() / "assets/default/uploads"));
  ASSERT_TRUE(write_file_durably(folder.path() / "assets/default/uploads/x.part", "half"));
  files.forget_uploads({"default"});
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "assets/default/uploads/x.part"));
  EXPECT_EQ(add("moo.wav", "moo").status, 201);
}

}  // namespace
}  // namespace starling::hub
