#include "protocol/component.hpp"
#include "base/build_folders.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "protocol/canonical_json.hpp"
#include "protocol/parsed_json.hpp"

namespace starling::protocol {
namespace {

std::shared_ptr<const Component> made(std::string_view text) {
  Result<std::shared_ptr<const Component>> component = Component::from_json(parsed(text));
  EXPECT_TRUE(component) << (component ? "" : component.error().message + " at " + component.error().field);
  return component ? *component : nullptr;
}

// A component with one setting `x.value` of this schema.
std::string with_schema(std::string_view members) {
  return R"({"x-component":"x","type":"object","properties":{"value":{)" + std::string(members) + "}}}";
}

constexpr const char* lamp_schema = R"({
  "$schema": "http://json-schema.org/draft-07/schema#", "x-component": "lamp", "type": "object",
  "properties": {
    "power": {"type": "boolean", "default": false, "x-alias": "LAMP_POWER", "x-owner": "device"},
    "level": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5, "x-alias": "LAMP_LEVEL"},
    "steps": {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10, "multipleOf": 2, "default": 2},
    "mode": {"enum": ["steady", "pulse", 1], "default": "steady"},
    "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$", "default": "abc"},
    "colours": {"type": "array", "minItems": 1, "maxItems": 3, "uniqueItems": true, "default": ["red"],
                "items": {"type": "string", "enum": ["red", "green", "blue"]}},
    "timing": {"type": "object", "additionalProperties": false, "required": ["on"], "default": {"on": 1},
               "properties": {"on": {"type": "integer", "minimum": 1}, "off": {"type": ["integer", "string"]}}},
    "either": {"anyOf": [{"type": "string"}, {"type": "boolean"}], "default": true}
  }})";

TEST(Component, ReadsItsFile) {
  const auto component = made(lamp_schema);
  ASSERT_TRUE(component);
  EXPECT_EQ(component->name(), "lamp");
  EXPECT_EQ(component->schema_hash(), hash_of(parsed(lamp_schema)));
  ASSERT_EQ(component->settings().size(), 8u);
  EXPECT_EQ(component->settings().front().key, "lamp.colours");
  const SettingSchema* power = component->find("lamp.power");
  ASSERT_TRUE(power);
  EXPECT_EQ(power->alias, "LAMP_POWER");
  EXPECT_EQ(power->owner, SettingOwner::device);
  EXPECT_EQ(power->default_value, Json(false));
  EXPECT_EQ(component->find("lamp.level")->owner, SettingOwner::shared);
  EXPECT_FALSE(component->find("lamp.levels"));
  EXPECT_FALSE(component->find("level"));
}

struct Accepted {
  const char* key;
  const char* value;
  const char* stored;
};

TEST(Component, StoresEveryValueInOneForm) {
  const auto component = made(lamp_schema);
  const Accepted cases[] = {
      {"lamp.level", "0.25", "0.25"},
      {"lamp.level", "1", "1"},
      {"lamp.level", "1.0", "1"},
      {"lamp.level", "-0.0", "0"},
      {"lamp.steps", "4.0", "4"},
      {"lamp.mode", "1.0", "1"},
      {"lamp.mode", "\"pulse\"", "\"pulse\""},
      {"lamp.timing", R"({"on":2.0,"off":"never"})", R"({"off":"never","on":2})"},
      {"lamp.colours", R"(["blue","red"])", R"(["blue","red"])"},
      {"lamp.either", "\"\"", "\"\""},
  };
  for (const Accepted& accepted : cases) {
    const Result<Json> value = component->validate(accepted.key, parsed(accepted.value));
    ASSERT_TRUE(value) << accepted.key << accepted.value << value.error().message;
    EXPECT_EQ(*value, parsed(accepted.stored)) << accepted.key;
    EXPECT_EQ(*value, parsed(canonical_json(*value)));
  }
}

struct Refused {
  const char* key;
  const char* value;
  const char* message;
  const char* pointer = "";
};

TEST(Component, SaysWhatIsWrongWithAValue) {
  const auto component = made(lamp_schema);
  const Refused cases[] = {
      {"lamp.level", "1.5", "lamp.level must be <= 1 (got 1.5)"},
      {"lamp.level", "-1", "lamp.level must be >= 0 (got -1)"},
      {"lamp.level", "\"0.5\"", "lamp.level must be a number (got \"0.5\")"},
      {"lamp.level", "null", "lamp.level must not be null"},
      {"lamp.level", "1e300", "lamp.level must be between -2^53 and 2^53 (got 1e+300)"},
      {"lamp.steps", "2.5", "lamp.steps must be a whole number (got 2.5)"},
      {"lamp.steps", "0", "lamp.steps must be > 0 (got 0)"},
      {"lamp.steps", "10", "lamp.steps must be < 10 (got 10)"},
      {"lamp.steps", "3", "lamp.steps must be a multiple of 2 (got 3)"},
      {"lamp.steps", "9007199254740993", "lamp.steps must be < 10 (got 9007199254740992)"},
      {"lamp.steps", "18446744073709551615",
       "lamp.steps must be between -2^53 and 2^53 (got 18446744073709552000)"},
      {"lamp.power", "1", "lamp.power must be true or false (got 1)"},
      {"lamp.mode", "\"off\"", "lamp.mode must be one of \"steady\", \"pulse\", 1 (got \"off\")"},
      {"lamp.mode", "\"pulse\\u0000x\"", "lamp.mode must not contain U+0000"},
      {"lamp.name", "\"a\"", "lamp.name must have at least 2 characters (got 1)"},
      {"lamp.name", "\"abcde\"", "lamp.name must have at most 4 characters (got 5)"},
      {"lamp.name", "\"aB\"", "lamp.name must match ^[a-z]+$ (got \"aB\")"},
      {"lamp.colours", "[]", "lamp.colours must have at least 1 entries (got 0)"},
      {"lamp.colours", R"(["red","pink"])",
       "lamp.colours/1 must be one of \"red\", \"green\", \"blue\" (got \"pink\")", "/1"},
      {"lamp.colours", R"(["red","red"])", "lamp.colours/0 must not be repeated (got \"red\")", "/0"},
      {"lamp.colours", R"(["red",null])", "lamp.colours/1 must not be null", "/1"},
      {"lamp.colours", "\"red\"", "lamp.colours must be a list (got \"red\")"},
      {"lamp.timing", "{}", "lamp.timing must have a member \"on\""},
      {"lamp.timing", R"({"on":0})", "lamp.timing/on must be >= 1 (got 0)", "/on"},
      {"lamp.timing", R"({"on":1,"off":true})",
       "lamp.timing/off must be a whole number or a string (got true)", "/off"},
      {"lamp.timing", R"({"on":1,"a/b":true})", "lamp.timing/a~1b is not a known member", "/a~1b"},
      {"lamp.timing", R"({"on":1,"off":null})", "lamp.timing/off must not be null", "/off"},
      {"lamp.nothing", "1", "the component lamp has no setting 'lamp.nothing'"},
  };
  for (const Refused& refused : cases) {
    const Result<Json> value = component->validate(refused.key, parsed(refused.value));
    ASSERT_FALSE(value) << refused.message;
    EXPECT_EQ(value.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(value.error().message, refused.message);
    EXPECT_EQ(value.error().field, refused.pointer) << refused.message;
  }
  const Result<Json> either = component->validate("lamp.either", Json(1));
  ASSERT_FALSE(either);
  EXPECT_TRUE(either.error().message.starts_with("lamp.either does not match its schema: "))
      << either.error().message;
}

TEST(Component, BoundsValues) {
  const auto component = made(with_schema(R"("default":0)"));
  ASSERT_TRUE(component);
  EXPECT_TRUE(component->validate("x.value", Json(std::string(4096, 'a'))));
  EXPECT_FALSE(component->validate("x.value", Json(std::string(4097, 'a'))));
  EXPECT_FALSE(component->validate("x.value", Json(JsonArray(10'000, Json(1)))));
  Json deep(1);
  for (int i = 0; i < 16; ++i)
    deep = JsonArray{deep};
  EXPECT_FALSE(component->validate("x.value", deep));
}

TEST(Component, MatchesHostilePatternsInBoundedStackAndTime) {
  const auto long_one = made(with_schema(R"("type":"string","pattern":"^(a|b)*$","default":"")"));
  ASSERT_TRUE(long_one);
  EXPECT_TRUE(long_one->validate("x.value", Json(std::string(4096, 'a'))));
  EXPECT_FALSE(long_one->validate("x.value", Json(std::string(4095, 'a') + "c")));
  const auto backtracking = made(with_schema(R"("type":"string","pattern":"^(a+)+$","default":"a")"));
  ASSERT_TRUE(backtracking);
  EXPECT_FALSE(backtracking->validate("x.value", Json(std::string(200, 'a') + "c")));
}

TEST(Component, MatchesPatternsInsideListsAndObjects) {
  const auto component = made(with_schema(
      R"("type":"array","items":{"type":"object","properties":{"pattern":{"type":"string","pattern":"^x{2,3}$"}},)"
      R"("additionalProperties":{"pattern":"b"}},"default":[])"));
  ASSERT_TRUE(component);
  EXPECT_TRUE(component->validate("x.value", parsed(R"([{"pattern":"xxx","other":"abc","number":1}])")));
  const auto inner = component->validate("x.value", parsed(R"([{"pattern":"x"}])"));
  ASSERT_FALSE(inner);
  EXPECT_EQ(inner.error().message, R"(x.value/0/pattern must match ^x{2,3}$ (got "x"))");
  EXPECT_FALSE(component->validate("x.value", parsed(R"([{"other":"ac"}])")));
}

struct BadFile {
  const char* text;
  const char* pointer;
};

TEST(Component, RefusesFilesOfTheWrongForm) {
  const BadFile files[] = {
      {"[]", ""},
      {R"({"type":"object","properties":{}})", "/x-component"},
      {R"({"x-component":"X","properties":{}})", "/x-component"},
      {R"({"x-component":7,"properties":{}})", "/x-component"},
      {R"({"x-component":"x"})", "/properties"},
      {R"({"x-component":"x","properties":[]})", "/properties"},
      {R"({"x-component":"x","type":"array","properties":{}})", "/type"},
      {R"({"x-component":"x","required":["a"],"properties":{}})", "/required"},
      {R"({"$schema":"http://json-schema.org/draft-04/schema#","x-component":"x","properties":{}})",
       "/$schema"},
      {R"({"x-component":"x","properties":{"a.b":{"default":1}}})", "/properties/a.b"},
      {R"({"x-component":"x","properties":{"a":true}})", "/properties/a"},
      {R"({"x-component":"x","properties":{"a":{"default":1,"x-alias":"A"},"b":{"default":1,"x-alias":"A"}}})",
       "/properties/b/x-alias"},
  };
  for (const BadFile& file : files) {
    const auto component = Component::from_json(parsed(file.text));
    ASSERT_FALSE(component) << file.text;
    EXPECT_EQ(component.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(component.error().field, file.pointer) << file.text << component.error().message;
  }
}

TEST(Component, RefusesSchemasThatWouldNotProtect) {
  const BadFile schemas[] = {
      {R"("type":"integer")", "/default"},
      {R"("default":null)", "/default"},
      {R"("type":"integer","default":0.5)", "/default"},
      {R"("type":"array","items":{"type":"string"},"default":["a",1])", "/default/1"},
      {R"("default":1,"minimun":0)", "/minimun"},
      {R"("default":1,"$ref":"#/definitions/a")", "/$ref"},
      {R"("default":1,"type":"null")", "/type"},
      {R"("default":1,"type":["integer","null"])", "/type"},
      {R"("default":1,"type":[])", "/type"},
      {R"("default":1,"minimum":"0")", "/minimum"},
      {R"("default":1,"minLength":-1)", "/minLength"},
      {R"("default":1,"minLength":1.5)", "/minLength"},
      {R"("default":1,"enum":[])", "/enum"},
      {R"("default":1,"enum":[1,null])", "/enum/1"},
      {R"("default":"a","pattern":"[a")", "/pattern"},
      {R"("default":"a","pattern":7)", "/pattern"},
      {R"("default":"a","pattern":"(a)\\1")", "/pattern"},
      {R"("default":"a","pattern":"(a{100}){100}")", "/pattern"},
      {R"("default":"a","not":{"pattern":"b"})", "/not/pattern"},
      {R"("default":["a"],"items":{"anyOf":[{"pattern":"a"}]})", "/items/anyOf/0/pattern"},
      {R"("default":[1],"items":[{"type":"integer"}])", "/items"},
      {R"("default":[1],"items":{"typ":"integer"})", "/items/typ"},
      {R"("default":1,"anyOf":[])", "/anyOf"},
      {R"("default":1,"allOf":[{"const":1},{"constant":1}])", "/allOf/1/constant"},
      {R"("default":{},"properties":{"a":{"typo":1}})", "/properties/a/typo"},
      {R"("default":1,"x-alias":"lower")", "/x-alias"},
      {R"("default":1,"x-owner":"nobody")", "/x-owner"},
  };
  for (const BadFile& schema : schemas) {
    const auto component = Component::from_json(parsed(with_schema(schema.text)));
    ASSERT_FALSE(component) << schema.text;
    EXPECT_EQ(component.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(component.error().field, std::string("/properties/value") + schema.pointer)
        << component.error().message;
  }
}

TEST(Component, TheSchemaHashDependsOnContentAlone) {
  const auto a = made(R"({"x-component":"x","properties":{"a":{"default":1,"type":"number"}}})");
  const auto b = made(R"({"properties":{"a":{"type":"number","default":1.0}}, "x-component":"x"})");
  const auto c = made(R"({"x-component":"x","properties":{"a":{"default":2,"type":"number"}}})");
  EXPECT_EQ(a->schema_hash(), b->schema_hash());
  EXPECT_NE(a->schema_hash(), c->schema_hash());
}

// ---- the files that are shipped

struct Shipped {
  const char* component;
  std::vector<std::pair<const char*, const char*>> settings;  // key, alias
};

Catalog shipped_catalog() {
  Catalog catalog;
  for (const auto& entry : std::filesystem::directory_iterator(source_folder() / "components")) {
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    const Result<Json> json = parse_json(text.str());
    EXPECT_TRUE(json) << entry.path();
    if (!json) continue;
    Result<std::shared_ptr<const Component>> component = Component::from_json(*json);
    EXPECT_TRUE(component) << entry.path() << component.error().message << component.error().field;
    if (!component) continue;
    EXPECT_EQ(entry.path().filename(), (*component)->name() + ".json");
    for (const SettingSchema& setting : (*component)->settings()) {
      EXPECT_FALSE(setting.description.empty()) << setting.key;
      EXPECT_EQ(setting.alias.empty(), (*component)->name() == "updates") << setting.key;  // no document's
      EXPECT_TRUE(setting.schema.get_object().contains("x-owner")) << setting.key;
    }
    EXPECT_TRUE(catalog.put(*component));
  }
  return catalog;
}

TEST(ShippedComponents, AreValidAndHaveTheNamesOfTheDocuments) {
  const Catalog catalog = shipped_catalog();
  const Shipped expected[] = {
      {"acknowledgement",
       {{"audio_files", "ACKNOWLEDGEMENT_AUDIO_FILES"}, {"enabled", "ACKNOWLEDGEMENT_ENABLED"}}},
      {"audio", {{"channels", "CHANNELS"}, {"chunk_size", "CHUNK_SIZE"}, {"sample_rate", "SAMPLE_RATE"}}},
      {"hotword",
       {{"cooldown", "HOTWORD_COOLDOWN"},
        {"models", "HOTWORD_MODELS"},
        {"phrase", "HOTWORD_PHRASE"},
        {"threshold", "HOTWORD_THRESHOLD"}}},
      {"logger", {{"level", "LOG_LEVEL"}}},
      {"updates", {}},
  };
  EXPECT_EQ(catalog.components().size(), std::size(expected));
  for (const Shipped& shipped : expected) {
    for (const auto& [name, alias] : shipped.settings) {
      const std::string key = std::string(shipped.component) + "." + name;
      const SettingSchema* setting = catalog.find(alias);
      ASSERT_TRUE(setting) << alias;
      EXPECT_EQ(setting->key, key);
      EXPECT_EQ(catalog.find(key), setting);
    }
  }
}

TEST(ShippedComponents, AcceptAndRefuse) {
  const Catalog catalog = shipped_catalog();
  const std::pair<const char*, const char*> accepted[] = {
      {"HOTWORD_MODELS", R"(["Hey_Tars.tflite","Tars.tflite"])"},
      {"ACKNOWLEDGEMENT_AUDIO_FILES", R"(["yes.raw"])"},
      {"LOG_LEVEL", "\"CRITICAL\""},
      {"SAMPLE_RATE", "16000"},
      {"hotword.cooldown", "0"},
  };
  for (const auto& [key, value] : accepted)
    EXPECT_TRUE(catalog.validate(key, parsed(value))) << key;
  const std::pair<const char*, const char*> refused[] = {
      {"HOTWORD_MODELS", R"(["../etc/passwd"])"},
      {"HOTWORD_MODELS", R"("Tars.tflite")"},
      {"LOG_LEVEL", "\"LOUD\""},
      {"SAMPLE_RATE", "16001"},
      {"audio.volume", "101"},
      {"hotword.threshold", "1.5"},
  };
  for (const auto& [key, value] : refused)
    EXPECT_FALSE(catalog.validate(key, parsed(value))) << key;
  EXPECT_EQ(catalog.validate("HOTWORD_THRESHOLD", Json(1.5)).error().message,
            "hotword.threshold must be <= 1 (got 1.5)");
}

// ---- catalog

TEST(Catalog, NamesWhatWasMeant) {
  const Catalog catalog = shipped_catalog();
  const std::pair<const char*, const char*> cases[] = {
      {"hotword.treshold", "did you mean hotword.threshold?"},
      {"HOTWORD_MODEL", "did you mean HOTWORD_MODELS?"},
      {"hotword.Models", "did you mean hotword.models?"},
      {"log_level", "did you mean LOG_LEVEL?"},
  };
  for (const auto& [key, hint] : cases) {
    const auto setting = catalog.require(key);
    ASSERT_FALSE(setting);
    EXPECT_EQ(setting.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(setting.error().message.find(hint), std::string::npos) << setting.error().message;
  }
  for (const char* key : {"", "zzzzzzzzzzzz.qqqqqq", "persona.active"}) {
    const auto setting = catalog.require(key);
    ASSERT_FALSE(setting);
    EXPECT_EQ(setting.error().message.find("did you mean"), std::string::npos) << setting.error().message;
  }
}

TEST(Catalog, ReplacesRemovesAndKeepsAliasesApart) {
  Catalog catalog;
  ASSERT_TRUE(catalog.put(made(R"({"x-component":"a","properties":{"k":{"default":1,"x-alias":"K"}}})")));
  ASSERT_TRUE(catalog.put(made(R"({"x-component":"a","properties":{"l":{"default":1,"x-alias":"L"}}})")));
  EXPECT_FALSE(catalog.find("K"));
  EXPECT_EQ(catalog.find("L")->key, "a.l");
  const Result<void> taken =
      catalog.put(made(R"({"x-component":"b","properties":{"m":{"default":1,"x-alias":"L"}}})"));
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::already_exists);
  EXPECT_FALSE(catalog.component("b"));
  const Catalog copy = catalog;
  catalog.remove("a");
  EXPECT_FALSE(catalog.find("L"));
  EXPECT_TRUE(copy.find("L"));
  EXPECT_TRUE(catalog.put(made(R"({"x-component":"b","properties":{"m":{"default":1,"x-alias":"L"}}})")));
}

TEST(Catalog, SplitsKeys) {
  EXPECT_EQ(component_of("hotword.models"), "hotword");
  EXPECT_EQ(component_of("hotword"), "");
  EXPECT_EQ(component_of(".x"), "");
}

}  // namespace
}  // namespace starling::protocol
