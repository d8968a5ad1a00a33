package org.cellkeeper.api;

/**
 * A backup, in a list.
 *
 * @param date ISO 8601; when it was complete
 * @param location its folder
 * @param size bytes
 * @param version of the product that made it
 */
public record BackupFile(String date, String location, String name, long size, String version) {}
