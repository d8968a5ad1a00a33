package org.cellkeeper.api;

import org.jspecify.annotations.Nullable;

/**
 * The body of {@code POST /backups/{name}/restore}.
 *
 * @param confirm the backup's name once more: the database is about to be replaced
 */
public record RestoreRequest(@Nullable String confirm) {}
