package org.cellkeeper.cell.model;

import java.time.Instant;

/** One remarkable thing that a cell did: the rule that did it, its sentence, and the particulars. */
public record HistoryEntry(Instant time, CellName cell, long epoch, int rule, String sentence, String detail) {}
