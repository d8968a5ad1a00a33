package org.cellkeeper.api;

/**
 * One service of the cell that was asked.
 *
 * @param status running, dead, start, or for repmgrd in manual mode "dead (normal when appliance is in manual failover mode)"
 */
public record ServiceInfo(String serviceName, String status) {}
