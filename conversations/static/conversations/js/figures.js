// What a reply took, in words.

import { LANGUAGE, gettext, interpolate, ngettext } from "./i18n.js";
import { outcomeOf } from "./words.js";

/** In short, for the line below a reply; empty where nothing is known. */
export function figuresOf({ usage, durationMs }) {
  const figures = [];
  if (usage) figures.push(tokens(usage.output_tokens));
  if (durationMs !== null) figures.push(seconds(durationMs));
  return figures.join(" · ");
}

/**
 * Everything that is known, as pairs of a name and a value.
 * @param {import("./reply.js").Reply} reply
 * @param {(model: string) => string} nameOf
 * @returns {[string, string][]}
 */
export function detailsOf(reply, nameOf) {
  const { usage } = reply;
  const speed = tokensPerSecond(reply);
  const rows = [
    [gettext("Model"), nameOf(reply.model)],
    [gettext("Provider"), reply.provider],
    [gettext("Asked at"), reply.createdAt && moment(reply.createdAt)],
    [gettext("First text after"), reply.firstTokenMs !== null && seconds(reply.firstTokenMs)],
    [gettext("Duration"), reply.durationMs !== null && seconds(reply.durationMs)],
    [gettext("Tokens read"), usage && number(usage.input_tokens)],
    [gettext("Tokens written"), usage && number(usage.output_tokens)],
    [gettext("Speed"), speed && interpolate(gettext("%s tokens per second"), [number(speed, 1)])],
    [gettext("Ending"), outcomeOf(reply)],
    [gettext("Reason"), reply.reason !== "stop" && reply.reason],
  ];
  return rows.filter(([, value]) => value);
}

/** How fast a reply was written, once it had begun; null where that is unknown. */
export function tokensPerSecond({ usage, durationMs, firstTokenMs }) {
  const ms = durationMs - firstTokenMs;
  if (!usage || firstTokenMs === null || durationMs === null || ms <= 0) return null;
  return usage.output_tokens / (ms / 1000);
}

function tokens(count) {
  return interpolate(ngettext("%s token", "%s tokens", count), [number(count)]);
}

function seconds(ms) {
  return interpolate(gettext("%s s"), [number(ms / 1000, ms < 1000 ? 2 : 1)]);
}

function number(value, digits = 0) {
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(LANGUAGE, places).format(value);
}

function moment(time) {
  const style = { dateStyle: "medium", timeStyle: "medium" };
  return new Intl.DateTimeFormat(LANGUAGE, style).format(new Date(time));
}
