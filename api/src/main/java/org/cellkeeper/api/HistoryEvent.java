package org.cellkeeper.api;

/** One entry of {@code GET /history}: which rule did what at which cell. {@code time} is ISO 8601. */
public record HistoryEvent(String time, String cell, long epoch, int rule, String sentence, String detail) {}
