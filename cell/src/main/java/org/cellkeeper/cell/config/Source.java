package org.cellkeeper.cell.config;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.cellkeeper.cell.trust.Pem;
import org.cellkeeper.cell.wire.PlainFiles;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where a cell's configuration comes from: a file, the environment, and the files that they name. When what is there cannot be used, a
 * cell goes on with the last that could, so that no file costs a running database. For one thread at a time.
 */
public final class Source {
    private static final Logger LOG = LoggerFactory.getLogger(Source.class);

    /** Where the file cannot be read as YAML, the cell's folder is looked for line by line. */
    private static final Pattern DATA_DIR_LINE =
            Pattern.compile("^data-dir:\\s*[\"']?(/[^\"'#\\s]+)[\"']?\\s*(#.*)?$", Pattern.MULTILINE);

    private final @Nullable Path file;
    private final Map<String, String> environment;
    private final Verdicts judges;
    private Kept.Refused refused = new Kept.Refused(new TreeMap<>());
    /** The last that was found good. */
    private @Nullable Kept good;
    /** The secrets of that one. */
    private @Nullable SecretsFile secrets;

    /** @param file YAML; null for the environment alone, in which {@code CELL_...} wins over the file */
    public Source(@Nullable Path file, Map<String, String> environment, Judges judges) {
        this.file = file;
        this.environment = Map.copyOf(environment);
        this.judges = new Verdicts(judges);
    }

    /** What a cell is to run with. */
    public static final class Choice {
        private final CellConfig config;
        private final String objection;
        private final Kept kept;

        private Choice(CellConfig config, String objection, Kept kept) {
            this.config = config;
            this.objection = objection;
            this.kept = kept;
        }

        public CellConfig config() {
            return config;
        }

        /** What is wrong with the present configuration, in whose place an earlier one is used; empty when it is used. */
        public String objection() {
            return objection;
        }
    }

    /** The present configuration, whether or not there is an earlier one. Changes nothing. */
    public CellConfig check() throws InvalidConfiguration {
        Settings present = present();
        Kept kept = kept(folderOf(present), present);
        return goingOn(CellConfig.anew(present, judges, kept), kept == null ? null : readable(kept));
    }

    /**
     * The present configuration, which is kept, or else the one that was kept last. What is the same as that is not judged again: it was good.
     *
     * @param dataDir where one was kept; null for where the present configuration says
     */
    public Choice choose(@Nullable Path dataDir) throws InvalidConfiguration {
        Settings present = present();
        Path folder = dataDir != null ? dataDir : folderOf(present);
        Kept kept = kept(folder, present);
        if (kept != null) {
            trust(kept);
            refused = Kept.Refused.in(folder);
            judges.recall(refused.refusals());
        }
        try {
            CellConfig config = goingOn(
                    inPlace(CellConfig.of(present, judges, kept), dataDir), kept == null ? null : readable(kept));
            Kept now = present.kept(from());
            good = kept;
            secrets = secrets(config);
            keep(now, config.dataDir());
            return new Choice(config, "", now);
        } catch (InvalidConfiguration invalid) {
            if (kept == null) {
                throw invalid;
            }
            good = kept;
            CellConfig earlier = earlier(kept, invalid);
            secrets = secrets(earlier);
            keepRefusals(earlier.dataDir());
            return new Choice(earlier, objection(invalid), kept);
        }
    }

    /**
     * What is wrong with the present configuration, in whose place a cell goes on with this one; empty when nothing is. One that has
     * changed and is good is kept, and takes effect when the agent starts anew, but for what {@code taker} takes up: that is no fault, and
     * only the log says it.
     *
     * @param taker is given the present configuration each time that it can be used
     */
    public String objectionTo(Choice running, Consumer<CellConfig> taker) {
        Settings present = present();
        try {
            CellConfig config = inPlace(CellConfig.of(present, judges, running.kept), running.config.dataDir());
            refuseStrange(config, secrets == null ? secrets(running.config) : secrets);
            secrets = secrets(config);
            taker.accept(config);
        } catch (InvalidConfiguration invalid) {
            keepRefusals(running.config.dataDir());
            return objection(invalid);
        }
        Kept now = present.kept(from());
        if (keep(now, running.config.dataDir()) && !now.equals(running.kept)) {
            LOG.info(
                    "The configuration has changed and can be used: certificates, passwords and the cluster's secrets at once, all else when the agent starts anew");
        }
        return "";
    }

    private Settings present() {
        return new Settings(file, environment);
    }

    private String from() {
        return file == null ? "" : file.toAbsolutePath().normalize().toString();
    }

    /** A cell that runs in one folder cannot go on in another. */
    private static CellConfig inPlace(CellConfig config, @Nullable Path dataDir) throws InvalidConfiguration {
        if (dataDir != null && !dataDir.equals(config.dataDir())) {
            throw new InvalidConfiguration(List.of(new Problem(
                    Keys.DATA_DIR.path(),
                    config.dataDir() + " is not " + dataDir
                            + ", where this cell runs; stop the cell, move its folder, and start it again")));
        }
        return config;
    }

    private static SecretsFile secrets(CellConfig config) {
        return SecretsFile.of(config.cluster().secret().content());
    }

    /** A cell of the same cluster as before; the data of another cluster's cell are refused later, by what they are. */
    private static CellConfig goingOn(CellConfig config, @Nullable CellConfig before) throws InvalidConfiguration {
        if (before != null
                && before.cluster().name().equals(config.cluster().name())
                && !believesInOthers(config, before)) {
            refuseStrange(config, secrets(before));
        }
        return config;
    }

    /** Whether both have authorities, and none in common: two clusters may have one name, and folders be mixed up. */
    private static boolean believesInOthers(CellConfig config, CellConfig before) {
        CellConfig.TrustFiles now = config.trust().files();
        CellConfig.TrustFiles then = before.trust().files();
        if (now == null || then == null) {
            return false;
        }
        try {
            return Collections.disjoint(
                    Pem.certificates(now.ca().text()),
                    Pem.certificates(then.ca().text()));
        } catch (CertificateException unreadable) {
            return false;
        }
    }

    /** Who takes none of its secrets along is believed by nobody, and believes nobody. */
    private static void refuseStrange(CellConfig config, SecretsFile before) throws InvalidConfiguration {
        if (!secrets(config).sharesOneWith(before)) {
            throw new InvalidConfiguration(
                    List.of(
                            new Problem(
                                    Keys.CLUSTER_SECRET.path(),
                                    config.cluster().secret()
                                            + " holds none of the secrets that this cell has run with, so the others might not know"
                                            + " it any more: add the new one on a line below the old one first, and take the old one out when all"
                                            + " cells have the new one (to make the cell part of another cluster, give it an empty data-dir)")));
        }
    }

    private static @Nullable CellConfig readable(Kept kept) {
        try {
            return CellConfig.of(new Settings(kept), null, kept);
        } catch (InvalidConfiguration unusable) {
            return null;
        }
    }

    /** Only what this very cell kept of this very file. */
    private @Nullable Kept kept(Path folder, Settings present) {
        Kept kept = Kept.in(folder);
        boolean own = kept != null && kept.from().equals(from()) && !present.isOtherThan(Keys.NAME, kept);
        return own ? kept : null;
    }

    private Path folderOf(Settings present) {
        Path said = present.isGiven(Keys.DATA_DIR) ? present.peek(Keys.DATA_DIR) : null;
        if (said != null) {
            return said;
        }
        if (file != null) {
            try {
                Matcher line = DATA_DIR_LINE.matcher(
                        new String(PlainFiles.read(file, Settings.LARGEST_FILE), StandardCharsets.UTF_8));
                if (line.find()) {
                    return Path.of(line.group(1)).normalize();
                }
            } catch (IOException unreadable) {
                // Then it is where it is by default, or nowhere.
            }
        }
        return Path.of(String.valueOf(Keys.DATA_DIR.value()));
    }

    /** Says whether it is another than before. */
    private boolean keep(Kept now, Path dataDir) {
        if (now.equals(good)) {
            return false;
        }
        good = now;
        try {
            now.write(dataDir);
        } catch (IOException e) {
            LOG.warn("The configuration is good, but cannot be kept in {}: {}", dataDir, e.toString());
        }
        return true;
    }

    /** For the next agent, which is not to wait until they are found anew. */
    private void keepRefusals(Path dataDir) {
        Kept.Refused now = new Kept.Refused(new TreeMap<>(judges.refused()));
        if (now.equals(refused)) {
            return;
        }
        refused = now;
        try {
            now.write(dataDir);
        } catch (IOException e) {
            LOG.warn("What is refused of the configuration cannot be kept in {}: {}", dataDir, e.toString());
        }
    }

    private void trust(Kept kept) {
        try {
            judges.trust(CellConfig.of(new Settings(kept), null, kept));
        } catch (InvalidConfiguration unusable) {
            LOG.warn("The configuration that was kept cannot be used any more: {}", unusable.getMessage());
        }
    }

    private static CellConfig earlier(Kept kept, InvalidConfiguration invalid) throws InvalidConfiguration {
        try {
            return CellConfig.of(new Settings(kept), null, kept);
        } catch (InvalidConfiguration unusable) {
            invalid.addSuppressed(unusable);
            throw invalid;
        }
    }

    private static String objection(InvalidConfiguration invalid) {
        return invalid.problems().stream()
                .map(Problem::toString)
                .collect(Collectors.joining(
                        "; ", "the configuration cannot be used, the agent goes on with the last that was good: ", ""));
    }
}
