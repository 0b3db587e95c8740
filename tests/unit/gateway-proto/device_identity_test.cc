// SPDX-License-Identifier: Apache-2.0
#include "gateway-proto/device_identity.h"

#include <catch2/catch.hpp>

using namespace hostclaw::gateway_proto;

namespace {

DeviceIdentity vector_identity() {
  std::string seed;
  for (int i = 0; i < 32; ++i) seed.push_back(static_cast<char>(i));
  return *DeviceIdentity::from_seed(seed);
}

SignatureFields vector_fields() {
  SignatureFields fields;
  fields.device_id = vector_identity().device_id();
  fields.client_id = "node-host";
  fields.client_mode = "node";
  fields.role = "node";
  fields.signed_at_ms = 1795226520318;
  fields.token = "testtoken123";
  fields.nonce = "4a2f3441-79e8-4450-a059-d422dc176486";
  return fields;
}

}  // namespace

TEST_CASE("the key of the contract's test vector has its id and encodings") {
  const DeviceIdentity identity = vector_identity();
  CHECK(identity.public_key() == "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
  CHECK(identity.device_id() == "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c");
  CHECK(identity.public_key_pem() ==
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
        "-----END PUBLIC KEY-----\n");
  CHECK(identity.private_key_pem() ==
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
        "-----END PRIVATE KEY-----\n");
}

TEST_CASE("signatures reproduce byte for byte in layout v2 and v3") {
  const DeviceIdentity identity = vector_identity();
  SignatureFields fields = vector_fields();
  CHECK(signature_payload_v2(fields).size() == 152);
  CHECK(identity.sign(signature_payload_v2(fields)) ==
        "jKx4-2yjTGp3EXPet6xDzuR1mL87DG_SaJZLSFlzs_5EpqB62QPwuu9eQgrKF40bZSzfXhGmfU1e1GaJg1S0AQ");
  fields.platform = " Linux ";
  CHECK(signature_payload_v3(fields).size() == 159);
  CHECK(identity.sign(signature_payload_v3(fields)) ==
        "gQU8p1E8_Ev5hcEx2cQXIfRScrris60-ixw8gnOF4XqY9R8f4mqUTJGEUqqddXkk2GbyINWr_oAYjU4EONzRCQ");
  fields.device_family = "Linux";
  CHECK(signature_payload_v3(fields).size() == 164);
  CHECK(identity.sign(signature_payload_v3(fields)) ==
        "CfwWjbR7zfAjYQb7POPsqFkqo3-DvDv7YItKv5wIfh7irHpSuMPXe1suokw9J28NIq6Qifii3ffXqub9UKGWCA");
}

TEST_CASE("a key comes back from its PEM") {
  const auto made = DeviceIdentity::generate();
  REQUIRE(made.has_value());
  const auto read = DeviceIdentity::from_private_key_pem(made->private_key_pem());
  REQUIRE(read.has_value());
  CHECK(read->device_id() == made->device_id());
  CHECK(DeviceIdentity::generate()->device_id() != made->device_id());
}

TEST_CASE("text that is not an Ed25519 key is refused and never quoted") {
  for (const char* bad :
       {"", "secret", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
        "-----END PUBLIC KEY-----\n"}) {
    const auto read = DeviceIdentity::from_private_key_pem(bad);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == "IDENTITY_INVALID");
    CHECK(read.error().message.find("secret") == std::string::npos);
  }
  CHECK_FALSE(DeviceIdentity::from_seed("short").has_value());
}
