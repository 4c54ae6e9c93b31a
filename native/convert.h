#pragma once

#include <napi.h>

#include <string>

#include "plane.h"

namespace moat {

/*
 * JavaScript values to plain structs and back; the shapes are those of `native/index.ts`. A value that does not fit its type
 * leaves `problem` set, a sentence for the TypeError that the caller throws.
 */
struct Reading {
  std::string problem;
};

PlaneOptions ToPlaneOptions(const Napi::Object& from, Reading& reading);
/** `key` points into the JavaScript value: valid during the call only. */
SaSettings ToSaSettings(const Napi::Object& from, Reading& reading);
OutboundSettings ToOutboundSettings(const Napi::Object& from, Reading& reading);
/** `current` is null when the object has none. */
CookieSecrets ToCookieSecrets(const Napi::Object& from);
Path ToPath(const Napi::Value& from, Reading& reading);

Napi::Object FromPath(Napi::Env env, const Path& path);
Napi::Object FromEvent(Napi::Env env, const Event& event);
Napi::Object FromCounters(Napi::Env env, const Counters& received, const Counters& sent);
/** @param nowMs of the monotonic clock. */
Napi::Object FromRecord(Napi::Env env, const SaRecord& record, uint64_t nowMs);
Napi::Object FromTunnel(Napi::Env env, const TunnelState& tunnel, uint64_t nowMs);

}  // namespace moat
