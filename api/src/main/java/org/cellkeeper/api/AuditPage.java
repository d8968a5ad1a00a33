package org.cellkeeper.api;

import java.util.List;

/**
 * The answer to {@code GET /audit}: what one cell has noted.
 *
 * @param cell the one that was asked
 * @param entries the newest first
 */
public record AuditPage(String cell, List<AuditEntry> entries) {}
