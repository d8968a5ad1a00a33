package org.cellkeeper.api;

import java.util.List;

/** One page of the answer to {@code GET /backups}, the newest first. */
public record BackupList(List<BackupFile> listOfBackupFiles, int pageCount, int pageSize, int resultTotal) {}
